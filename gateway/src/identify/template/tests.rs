//! Templates as paths meet them.

use proptest::prelude::*;

use super::*;

fn tree(templates: &[&str]) -> Tree {
    let mut tree = Tree::default();
    for (i, text) in templates.iter().enumerate() {
        tree.add(&Template::parse(text).unwrap(), RuleIndex::try_from(i).unwrap());
    }
    tree
}

/// Number of the template that a path is, and what it captures.
fn find(templates: &[&str], path: &str) -> Option<(RuleIndex, Vec<String>)> {
    let (rule, captures) = tree(templates).find(path, |_| true)?;
    let count = Template::parse(templates[usize::from(rule)]).unwrap().captures().count();
    let text = |i: usize| captures.text(path, u8::try_from(i).unwrap()).unwrap_or("-").to_owned();
    Some((rule, (0..count).map(text).collect()))
}

fn captures(template: &str, path: &str) -> Option<Vec<String>> {
    find(&[template], path).map(|(_, captures)| captures)
}

#[test]
fn literals_must_be_there_as_they_are() {
    for (template, path, matches) in [
        ("/ping", "/ping", true),
        ("/ping", "/ping/", true),
        ("/ping", "/Ping", false),
        ("/ping", "/pin", false),
        ("/ping", "/pingx", false),
        ("/ping", "/ping//", false),
        ("/ping", "//ping", false),
        ("/ping", "/a/ping", false),
        ("/ping", "ping", false),
        ("/ping", "*", false),
        ("/ping", "", false),
        ("/ping", "/p%69ng", false),
        ("/", "/", true),
        ("/", "//", false),
    ] {
        assert_eq!(captures(template, path).is_some(), matches, "{template} {path}");
    }
}

#[test]
fn captures_take_one_segment_or_a_part_of_one() {
    for (template, path, found) in [
        ("/m/{model}", "/m/a", Some(vec!["a"])),
        ("/m/{model}", "/m/a/", Some(vec!["a"])),
        ("/m/{model}", "/m/a%2Fb", Some(vec!["a%2Fb"])),
        ("/m/{model}", "/m/", None),
        ("/m/{model}", "/m", None),
        ("/m/{model}", "/m/a/b", None),
        ("/v1/models/{model}:predict", "/v1/models/a:predict", Some(vec!["a"])),
        ("/v1/models/{model}:predict", "/v1/models/a:b:predict", Some(vec!["a:b"])),
        ("/v1/models/{model}:predict", "/v1/models/:predict", None),
        ("/v1/models/{model}:predict", "/v1/models/a:explain", None),
        ("/x-{id}-y", "/x-1-y", Some(vec!["1"])),
        ("/x-{id}-y", "/x--y", None),
        ("/x-{id}-x-", "/x-x-", None),
        ("/{a}/{b}", "/é/ü", Some(vec!["é", "ü"])),
    ] {
        let found: Option<Vec<String>> = found.map(|f| f.into_iter().map(str::to_owned).collect());
        assert_eq!(captures(template, path), found, "{template} {path}");
    }
}

#[test]
fn optional_parts_may_be_absent_and_a_tail_takes_the_rest() {
    let infer = "/v2/models/{model}[/versions/{version}]/infer";
    for (template, path, found) in [
        (infer, "/v2/models/a/infer", Some(vec!["a", "-"])),
        (infer, "/v2/models/a/versions/3/infer", Some(vec!["a", "3"])),
        (infer, "/v2/models/a/versions/infer", None),
        ("[/openai][/v1]/models", "/openai/v1/models", Some(vec![])),
        ("[/openai][/v1]/models", "/v1/models", Some(vec![])),
        ("[/openai][/v1]/models", "/models", Some(vec![])),
        ("[/openai][/v1]/models", "/v1/openai/models", None),
        ("/a[/{b}][/{c}]", "/a/x", Some(vec!["x", "-"])),
        ("/a[/{b}][/{c}]", "/a/x/y", Some(vec!["x", "y"])),
        ("/{rest*}", "/", Some(vec![""])),
        ("/{rest*}", "/a/b//c/", Some(vec!["a/b//c/"])),
        ("/p/{m}/{rest*}", "/p/a/b/c", Some(vec!["a", "b/c"])),
        ("/p/{m}/{rest*}", "/p/a", None),
        ("/p/{m}[/{rest*}]", "/p/a", Some(vec!["a", "-"])),
    ] {
        let found: Option<Vec<String>> = found.map(|f| f.into_iter().map(str::to_owned).collect());
        assert_eq!(captures(template, path), found, "{template} {path}");
    }
}

#[test]
fn the_first_rule_wins_wherever_the_tree_meets_it() {
    let templates = ["/{a}/x", "/models/{m}", "/models/all", "/{rest*}", "/models/{m}:predict", "/"];
    for (path, rule) in
        [("/models/x", 0), ("/models/all", 1), ("/models/a:predict", 1), ("/models", 3), ("/", 3)]
    {
        assert_eq!(find(&templates, path).map(|(rule, _)| rule), Some(rule), "{path}");
    }
    // A rule that does not fit for another reason leaves the place to the next.
    let tree = tree(&templates);
    assert_eq!(tree.find("/models/x", |rule| rule > 0).map(|(rule, _)| rule), Some(1));
    assert_eq!(tree.find("/models/all", |rule| rule > 1).map(|(rule, _)| rule), Some(2));
    assert!(tree.find("/models/all", |_| false).is_none());
}

/// Segments of which both templates and paths are made, so that they meet.
fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "{x}", "{y}:p", "a:p", "{z}"])
}

/// A template's meaning, as plainly as it can be said.
fn matches(template: &str, path: &str) -> bool {
    let (mut t, mut p): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if p.len() > 2 && p.last() == Some(&"") {
        p.pop();
    }
    t.remove(0);
    p.remove(0);
    t.len() == p.len()
        && t.iter().zip(&p).all(|(t, p)| match t.split_once('}') {
            None => t == p,
            Some((_, after)) => p.len() > after.len() && p.ends_with(after),
        })
}

proptest! {
    #[test]
    fn the_tree_finds_what_trying_one_after_the_other_finds(
        templates in prop::collection::vec(prop::collection::vec(segment(), 1..4), 1..8),
        path in prop::collection::vec(prop::sample::select(vec!["a", "b", "a:p", ":p", "", "c"]), 0..4),
    ) {
        // Captures of one template have different names.
        let text = |segments: &Vec<&str>| {
            let named = segments.iter().enumerate().map(|(i, s)| s.replace('{', &format!("{{n{i}")));
            named.fold(String::new(), |text, segment| text + "/" + &segment)
        };
        let templates: Vec<String> = templates.iter().map(text).collect();
        let path = path.iter().fold(String::new(), |path, segment| path + "/" + segment);
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let expected = templates.iter().position(|template| matches(template, &path));
        let refs: Vec<&str> = templates.iter().map(String::as_str).collect();
        let found = find(&refs, &path).map(|(rule, _)| usize::from(rule));
        prop_assert_eq!(found, expected, "{:?} {}", templates, path);
    }

    #[test]
    fn no_path_panics(path in "(/|[a-z%:é]){0,40}") {
        let _ = find(&["/{a}[/{b}]/x", "/{rest*}", "/p/{m}:x"], &path);
    }
}
