use std::os::unix::fs::symlink;

use super::*;

fn filestore() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in [("ab/abc", "content"), ("cd/cde", "other"), ("checklist/ab/abc", "")] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn skipped_and_empty_entries_are_ignored() {
    let (a, b) = (filestore(), filestore());
    fs::remove_dir_all(b.path().join("checklist")).unwrap();
    fs::create_dir(b.path().join("ef")).unwrap();
    assert_same_tree(a.path(), b.path(), &["checklist"]);
    assert_eq!(tree_differences(a.path(), b.path(), &[]), ["checklist/ab/abc is missing in the second"]);
}

#[test]
fn each_difference_is_found_and_named() {
    let change = |change: &dyn Fn(&Path)| {
        let (a, b) = (filestore(), filestore());
        change(b.path());
        tree_differences(a.path(), b.path(), &["checklist"])
    };
    assert_eq!(change(&|b| fs::write(b.join("ab/abc"), "cOntent").unwrap()), ["ab/abc differs at byte 1"]);
    assert_eq!(
        change(&|b| fs::write(b.join("ab/abc"), "content.").unwrap()),
        ["ab/abc has 7 bytes in the first and 8 in the second"]
    );
    assert_eq!(change(&|b| fs::remove_file(b.join("cd/cde")).unwrap()), ["cd/cde is missing in the second"]);
    assert_eq!(change(&|b| fs::write(b.join("cd/new"), "").unwrap()), ["cd/new is only in the second"]);
    // A folder with a skipped name is compared if it is below the top.
    assert_eq!(
        change(&|b| {
            fs::create_dir(b.join("cd/checklist")).unwrap();
            fs::write(b.join("cd/checklist/x"), "").unwrap();
        }),
        ["cd/checklist/x is only in the second"]
    );
    let linked = change(&|b| {
        fs::remove_file(b.join("cd/cde")).unwrap();
        symlink("../ab/abc", b.join("cd/cde")).unwrap();
    });
    assert_eq!(linked, [r#"cd/cde is File in the first and Link("../ab/abc") in the second"#]);
}

#[test]
#[should_panic(expected = "differ in 1 files: ab/abc differs at byte 0")]
fn difference_fails_test() {
    let (a, b) = (filestore(), filestore());
    fs::write(b.path().join("ab/abc"), "Content").unwrap();
    assert_same_tree(a.path(), b.path(), &[]);
}
