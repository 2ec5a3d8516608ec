//! What is read from answers, and what is signed: the rules that need more than one field.

use weir_config::{Kept, SignService, ValueUnit};

use crate::parse;

/// What is wrong, without line and column.
fn wrong(text: &str) -> Vec<String> {
    crate::wrong(text).iter().filter_map(|told| Some(told.split_once(' ')?.1.to_owned())).collect()
}

const B: &str = "backends: [{dialect: mms, endpoints: [http://a:1], ";

#[test]
fn values_are_read_with_their_unit_and_how_they_are_kept() {
    let config = parse(&format!(
        "{B}values: [{{name: feat, from: {{header: X-Feat}}}}, {{name: age, from: {{trailer: x-at}}, unit: rfc3339, as: staleness}}]}}]"
    ));
    let [feat, age] = &config.backends[0].values[..] else { panic!("two values") };
    assert_eq!((feat.unit, feat.kept), (ValueUnit::Ms, Kept::Histogram));
    assert_eq!(
        (age.unit, age.kept, age.from.trailer.as_deref()),
        (ValueUnit::Rfc3339, Kept::Staleness, Some("x-at"))
    );
}

#[test]
fn a_value_that_cannot_be_kept_so_is_told() {
    for (value, told) in [
        ("name: a", "backends[0].values[0].from: it needs one of `header`, `server_timing` or `trailer`"),
        ("from: {header: x}", "backends[0].values[0].name: a value needs a `name`"),
        (
            "name: a b, from: {header: x}",
            "backends[0].values[0].name: a name is 1 to 64 letters, digits, `_`, `-` and `.`",
        ),
        (
            "name: a, from: {header: x, trailer: y}",
            "backends[0].values[0].from: it needs exactly one of `header`, `server_timing` or `trailer`, not `header` and `trailer`",
        ),
        (
            "name: a, from: {header: x}, unit: bytes",
            "backends[0].values[0].as: a histogram is one of times: `unit` is ns, us, ms or s",
        ),
        (
            "name: a, from: {header: x}, unit: unix_s, as: gauge",
            "backends[0].values[0].as: a point in time makes no gauge",
        ),
        (
            "name: a, from: {header: x}, unit: ratio, as: staleness",
            "backends[0].values[0].as: staleness is an age or comes from a point in time",
        ),
    ] {
        assert_eq!(wrong(&format!("{B}values: [{{{value}}}]}}]")), [told], "{value}");
    }
    let twice = "values: [{name: a, from: {header: x}}, {name: a, from: {header: y}}]";
    assert_eq!(
        wrong(&format!("{B}{twice}}}]")),
        ["backends[0].values[1].name: another value is called `a` too"]
    );
    let nine = ["{name: a, from: {header: x}}"; 9].join(", ");
    assert!(wrong(&format!("{B}values: [{nine}]}}]"))[0].contains("values"));
}

#[test]
fn a_place_of_usage_is_a_path_of_short_keys() {
    let dialect =
        |place: &str| wrong(&format!("{B}}}]\ndialects: [{{name: own, usage: {{output: [\"{place}\"]}}}}]"));
    let grammar = "dialects[0].usage.output[0]: a path is keys with `.` between them";
    for place in ["", "a..b", "a b", ".a", "a=", "é", &"x".repeat(41)] {
        assert!(dialect(place)[0].starts_with(grammar), "{place}: {:?}", dialect(place));
    }
    assert_eq!(dialect("a.b.c.d.e.f.g"), ["dialects[0].usage.output[0]: a path has at most 6 keys"]);
    parse(&format!("{B}}}]\ndialects: [{{name: own, usage: {{output: [a.b, type=x.y]}}}}]"));
}

#[test]
fn a_signed_backend_has_a_region_and_one_endpoint() {
    let config = parse(&format!("{B}sign: {{service: bedrock, region: us-east-1}}}}]"));
    assert_eq!(config.backends[0].sign.as_ref().map(|sign| sign.service), Some(SignService::Bedrock));
    for (sign, told) in [
        ("{}", "backends[0].sign.region: a signature needs a `region`"),
        (
            "{region: US East}",
            "backends[0].sign.region: a region is 1 to 64 lower-case letters, digits and `-`",
        ),
        (
            "{region: eu-west-1, credentials: instance, profile: a}",
            "backends[0].sign.profile: a profile goes with `credentials: profile` or `default`",
        ),
    ] {
        assert_eq!(wrong(&format!("{B}sign: {sign}}}]")), [told], "{sign}");
    }
    let two =
        "backends: [{dialect: sagemaker, endpoints: [http://a:1, http://b:1], sign: {region: eu-west-1}}]";
    assert!(wrong(two)[0].starts_with("backends[0].sign: the signature covers the host"));
}
