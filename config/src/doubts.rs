//! What can be run but hardly is as it was meant: warnings of `weir check`, and of a start.

use crate::config::Config;
use crate::dialect::Action;
use crate::state::PollMode;

/// One doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubtful {
    /// The key's path, `backends[0].management`.
    pub key: String,
    /// What is doubtful, and what to do.
    pub message: String,
}

/// Everything that is doubtful in a valid configuration.
#[must_use]
pub fn doubts(config: &Config) -> Vec<Doubtful> {
    let mut doubts = Vec::new();
    let mut add = |key: String, message: &str| doubts.push(Doubtful { key, message: message.to_owned() });
    for (i, backend) in config.backends.iter().enumerate() {
        let Some(dialect) = config.dialect(&backend.dialect) else { continue };
        let is_asked = backend.state.poll == PollMode::Auto;
        let follows = dialect.starts.lifecycle || backend.starts.as_ref().is_some_and(|own| own.lifecycle);
        let changes = |action| action == Action::Load || action == Action::Unload;
        let is_managed = dialect.requests.iter().any(|rule| changes(rule.action));
        if is_asked && dialect.state.is_empty() {
            let message =
                "the dialect knows no page that tells the state of models, so that nothing is asked";
            add(format!("backends[{i}].state.poll"), message);
        }
        if is_asked && backend.shares_management(&dialect.state) {
            let message = "several endpoints share one management address, which cannot tell them apart: their state is not asked, and hot \
                or cold is only known where answers say so; give each server a backend of its own";
            add(format!("backends[{i}].management"), message);
        } else if backend.endpoints.len() > 1 && backend.management.is_some() && follows && is_managed {
            let message = "several endpoints share one management address, so that nobody knows which of them a load call loads: hot or cold \
                is only known where answers say so; give each server a backend of its own";
            add(format!("backends[{i}].management"), message);
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(flag: &str) -> Vec<String> {
        let config = Config::from_flags(&[flag.parse().unwrap()]).unwrap();
        doubts(&config).into_iter().map(|doubt| doubt.key).collect()
    }

    #[test]
    fn endpoints_that_one_management_address_cannot_tell_apart_are_doubtful() {
        let several = "torchserve=http://a:1,http://b:1,management=http://c:1";
        assert_eq!(keys(several), ["backends[0].management"]);
        assert_eq!(keys(&format!("{several},state=auto")), ["backends[0].management"]);
        assert_eq!(keys("torchserve=http://a:1,management=http://c:1,state=auto"), [] as [&str; 0]);
        assert_eq!(keys("triton=http://a:1,http://b:1,state=auto"), [] as [&str; 0]);
    }

    #[test]
    fn asking_a_server_that_has_no_such_page_is_doubtful() {
        assert_eq!(keys("generic=http://a:1,state=auto"), ["backends[0].state.poll"]);
        assert_eq!(keys("generic=http://a:1"), [] as [&str; 0]);
    }
}
