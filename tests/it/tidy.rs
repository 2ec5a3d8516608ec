//! What a program can check of how the project is written.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<_> =
        ["config", "telemetry", "gateway", "tests", "benches"].iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && name != ".lab" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_source_file_opens_by_saying_what_it_is_for() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
    }
}

#[test]
fn no_source_file_is_longer_than_a_few_screens() {
    for path in sources() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_crates_depend_in_one_direction() {
    let allowed = [("config", ""), ("telemetry", "config"), ("gateway", "config telemetry")];
    for (name, may) in allowed {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        for other in ["config", "telemetry", "gateway", "tests", "benches"] {
            let depends = manifest.contains(&format!("weir-{other} ="));
            assert!(!depends || may.contains(other), "weir-{name} depends on weir-{other}");
        }
    }
}

#[test]
fn metric_names_stand_in_the_table_alone() {
    for path in sources().into_iter().filter(|path| path.starts_with(root().join("gateway/src"))) {
        let text = fs::read_to_string(&path).unwrap();
        for family in weir_telemetry::names::all() {
            let literal = format!("\"{}\"", family.name);
            assert!(!text.contains(&literal), "{} spells {}", path.display(), family.name);
        }
    }
}

/// `it::chapter::test`, as the test runner writes it, for every test in a file.
fn tests_in(path: &Path) -> Vec<String> {
    let inner = path.strip_prefix(root().join("tests")).unwrap().with_extension("");
    let module = inner.display().to_string().replace('/', "::");
    let text = fs::read_to_string(path).unwrap();
    let behind = text.split("#[test]\n").skip(1);
    let names = behind.filter_map(|rest| rest.trim_start().strip_prefix("fn ")?.split('(').next());
    names.map(|name| format!("{module}::{name}")).collect()
}

#[test]
fn every_promise_is_proved_by_a_test_that_exists() {
    let chapters = ["tests/it", "tests/real"].map(|folder| root().join(folder));
    let sources = sources().into_iter().filter(|path| chapters.iter().any(|folder| path.starts_with(folder)));
    let tests: HashSet<String> = sources.flat_map(|path| tests_in(&path)).collect();
    let promises = fs::read_to_string(root().join("tests/promises.md")).unwrap();
    let named =
        promises.split('`').filter(|word| ["it::", "real::"].iter().any(|begin| word.starts_with(begin)));
    let named: Vec<_> = named.filter(|word| word.matches("::").count() > 1).collect();
    assert!(named.len() > 50, "only {} tests are named", named.len());
    for name in named {
        assert!(tests.contains(name), "there is no test {name}");
    }
}
