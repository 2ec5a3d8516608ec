//! Whether weir can send to a server as it is described: an address, one way to authenticate, and nothing given twice.

use std::collections::HashSet;

use super::rules::exactly_one;
use super::{Findings, token};
use crate::access_log::AccessLog;
use crate::alerts::Alerts;
use crate::config::Config;
use crate::push::NamedText;
use crate::remote::Remote;

pub(super) fn alerts(alerts: &Alerts, findings: &mut Findings) {
    for (key, all) in [("alertmanagers", &alerts.alertmanagers), ("webhooks", &alerts.webhooks)] {
        let mut seen = HashSet::new();
        for (i, one) in all.iter().enumerate() {
            let path = format!("alerts.{key}[{i}]");
            remote(one, &path, findings);
            if !one.url.is_none() && !seen.insert(&one.url) {
                findings.add(format!("{path}.url"), "it would be told everything twice");
            }
        }
    }
}

pub(super) fn export(config: &Config, findings: &mut Findings) {
    if let Some(otlp) = &config.export.otlp {
        if let Some(to) = &otlp.to {
            remote(to, "export.otlp.to", findings);
            if otlp.sign.is_some() && (to.authorization.is_some() || to.basic_auth.is_some()) {
                findings.add(
                    "export.otlp.sign",
                    "there is one `Authorization` header: sign, or authenticate otherwise",
                );
            }
        }
        twice(&otlp.resource, "export.otlp.resource", &[], findings);
    }
    let Some(emf) = &config.export.emf else { return };
    twice(&emf.dimensions, "export.emf.dimensions", &["Backend", "Model", "Start", "Slo"], findings);
    let to_stdout = |log: &AccessLog| log.to == "stdout";
    if emf.path.is_none() && config.access_log.as_ref().is_some_and(to_stdout) {
        findings.add_with(
            "export.emf",
            "stdout has the access log already, and their lines would run into each other",
            Some("give one of them a file: `export.emf.path` or `access_log.to`".to_owned()),
        );
    }
}

fn twice(all: &[NamedText], path: &str, taken: &[&str], findings: &mut Findings) {
    let mut names = HashSet::new();
    for (i, one) in all.iter().enumerate() {
        if taken.contains(&one.name.as_str()) || !names.insert(&one.name) {
            findings.add(format!("{path}[{i}].name"), format!("there is a `{}` already", one.name));
        }
    }
}

pub(super) fn remote(remote: &Remote, path: &str, findings: &mut Findings) {
    if remote.url.is_none() {
        let help = "for example `url: https://alertmanager.example.org`".to_owned();
        findings.missing(format!("{path}.url"), "it needs a `url`", help);
        return;
    }
    if remote.tls.is_some() && !remote.url.endpoint.tls() {
        findings.add_with(
            format!("{path}.tls"),
            "the address is `http://`: nothing is encrypted, and nobody is verified",
            Some("write `https://`, or leave `tls` out".to_owned()),
        );
    }
    if let Some(authorization) = &remote.authorization {
        findings.word(format!("{path}.authorization.type"), token(&authorization.scheme, &()));
    }
    if remote.authorization.is_some() && remote.basic_auth.is_some() {
        findings.add(
            format!("{path}.basic_auth"),
            "there is one `Authorization` header: give `authorization` or `basic_auth`",
        );
    }
    let mut names = HashSet::new();
    for (i, header) in remote.headers.iter().enumerate() {
        let path = format!("{path}.headers[{i}]");
        let given = [("value", header.value.is_some()), ("value_file", header.value_file.is_some())];
        exactly_one(&given, &path, findings);
        if !names.insert(header.name.to_ascii_lowercase()) {
            findings.add(format!("{path}.name"), format!("`{}` is given twice", header.name));
        }
    }
}
