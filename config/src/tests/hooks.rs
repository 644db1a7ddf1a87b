use super::Fixture;

const HEAD: &str = "repository.url = 'file:///r'\n[instance.production]\ndatabase = 'd'\nfilestore = '/f'\n";

#[test]
fn hooks_are_programs_with_arguments() {
    let fixture = Fixture::new().variable("WHO", "admin");
    let text = format!(
        "{HEAD}[instance.production.hooks]\nbefore = ['./hook', 'two words', '${{WHO}}']\ntimeout = '90 seconds'\n\
         [target.staging]\ndatabase = 's'\nfilestore = '/s'\n[target.staging.hooks]\nfinally = ['/bin/true']\n"
    );
    let config = fixture.load(&text);
    let hooks = &config.instance("production").unwrap().hooks;
    let before = hooks.before.as_ref().unwrap();
    assert_eq!(before.program, fixture.path("hook"));
    assert_eq!(before.arguments, ["two words", "admin"]);
    assert_eq!((hooks.timeout.as_secs(), hooks.after.is_none()), (90, true));
    let hooks = &config.target_hooks["staging"];
    assert_eq!(hooks.listed().map(|(key, _)| key).collect::<Vec<_>>(), ["finally"]);
    assert_eq!(hooks.timeout, engine::hooks::TIMEOUT);
}

#[test]
fn hook_of_no_program_is_refused() {
    for (hook, said) in [
        ("before = []", "the array is empty"),
        ("before = 'true'", "expected an array of strings: a program and its arguments, found a string"),
        ("before = ['systemctl', 'stop']", "the program must be a path"),
        ("before = ['/bin/true', 1]", "expected a string, found an integer"),
        ("pre = ['/bin/true']", "did you mean `before`?"),
        ("timeout = '0 seconds'", "expected more than no time"),
    ] {
        let errors = Fixture::new().errors(&format!("{HEAD}[instance.production.hooks]\n{hook}\n"));
        assert!(errors.len() == 1 && errors[0].contains(said), "{hook}: {errors:?}");
    }
}
