use super::*;

#[test]
fn calls_differ_by_arguments() {
    let one = Call::of("public.unaccent(pg_catalog.text)").unwrap();
    let two = Call::of("public.unaccent(pg_catalog.regdictionary, pg_catalog.text)").unwrap();
    let none = Call::of(r#""a(b".f()"#).unwrap();
    for (statement, expected) in [
        ("CREATE INDEX i ON t USING gin (public.unaccent((name)::text) public.gin_trgm_ops)", [true, false, false]),
        ("… (public.unaccent('public.d'::regdictionary, name))", [false, true, false]),
        ("… (lower(public.unaccent(f(a, b[1,2]) || ',)')))", [true, false, false]),
        ("… (public.my_unaccent(name), xpublic.unaccent(name), x.public.unaccent(name))", [false, false, false]),
        (r#"… ("a(b".f())"#, [false, false, true]),
        ("… public.unaccent(name", [false, false, false]),
    ] {
        assert_eq!([&one, &two, &none].map(|call| call.is_in(statement)), expected, "{statement}");
    }
    assert_eq!(Call::of("public.unaccent"), None);
}

#[test]
fn clauses_from_outside_are_checked() {
    for clause in ["IMMUTABLE", "PARALLEL SAFE", "COST 100", "ROWS 1e+06", "COST 0.5"] {
        assert!(is_clause(clause), "{clause}");
    }
    for clause in ["", "OWNER TO x", "COST 1; DROP TABLE t", "COST inf", "COST -1", "immutable", "SET role = x"] {
        assert!(!is_clause(clause), "{clause}");
    }
}

#[test]
fn other_version_changes_only_immutability() {
    let member = |attributes: &str| Member { attributes: attributes.into(), ..Member::default() };
    let (copy, source) = (member("STABLE, STRICT, PARALLEL SAFE"), member("IMMUTABLE, STRICT, PARALLEL UNSAFE"));
    assert_eq!(Changes::between(&copy, &source, true).attributes, ["IMMUTABLE", "PARALLEL UNSAFE"]);
    assert_eq!(Changes::between(&copy, &source, false).attributes, ["IMMUTABLE"]);
    assert_eq!(Changes::between(&source, &copy, false), Changes::default());
    assert_eq!(Changes::between(&copy, &copy, true), Changes::default());
}

#[test]
fn search_path_is_split() {
    let path = |text| list_of_identifiers(text).map(|names| names.join("|"));
    assert_eq!(path(r#"public, "Weird, Schema", pg_temp"#).as_deref(), Some("public|Weird, Schema|pg_temp"));
    assert_eq!(path(r#""""#).as_deref(), Some(""));
    assert_eq!(path(r#""a" b"#), None);
}
