//! The answer for people: what it comes to first, then every rule that was tried. Whatever a request brought in is escaped.

use std::fmt;

use weir_config::{Action, Plane, PollMode};

use super::answer::{BodyRead, CountedUnder, Explained, Name, Place, RouteTried, RuleTried, Starts};

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.request.host.as_ref().map(|host| format!("  (host {})", host.escape_debug()));
        line(
            f,
            "request",
            format_args!(
                "{} {}{}",
                self.request.method,
                self.request.path.escape_debug(),
                host.unwrap_or_default()
            ),
        )?;
        line(
            f,
            "backend",
            format_args!("{}, dialect {}: {}", self.backend.name, self.backend.dialect, self.backend.why),
        )?;
        line(f, "goes to", format_args!("{}", self.backend.addresses.join(" or ")))?;
        match self.rules.iter().find(|rule| rule.fit == "chosen") {
            Some(rule) => line(f, "rule", format_args!("{}", rule.path))?,
            None => {
                line(f, "rule", format_args!("none fits: it passes through as an inference of no model"))?
            }
        }
        line(f, "action", format_args!("{}, {} plane", action(self.action), plane(self.plane)))?;
        name(f, "model", self.model.as_ref())?;
        for step in &self.renamed {
            line(f, "renamed", format_args!("to {}  (by names, {})", step.to.escape_debug(), step.by))?;
        }
        if self.resident.is_some() {
            name(f, "resident id", self.resident.as_ref())?;
        }
        name(f, "version", self.version.as_ref())?;
        for (i, place) in self.looked_in.iter().enumerate() {
            line(f, if i == 0 { "looked in" } else { "" }, format_args!("{place}"))?;
        }
        if let Some(body) = &self.body {
            line(f, "body", format_args!("{body}"))?;
        }
        line(f, "counted as", format_args!("{}", self.counted_under))?;
        write!(f, "{}", self.starts)?;
        if !self.routes.is_empty() {
            writeln!(f, "\nroutes, in their order")?;
        }
        for route in &self.routes {
            writeln!(f, "{route}")?;
        }
        writeln!(f, "\nrules, in their order")?;
        let width = self.rules.iter().map(|rule| rule.path.len()).max().unwrap_or(0).min(PATH_WIDTH_MAX);
        self.rules.iter().try_for_each(|rule| one_rule(f, rule, width))
    }
}

/// Width of the column of templates.
const PATH_WIDTH_MAX: usize = 64;

fn line(f: &mut fmt::Formatter<'_>, title: &str, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "{title:12} {text}")
}

fn name(f: &mut fmt::Formatter<'_>, title: &str, name: Option<&Name>) -> fmt::Result {
    match name {
        Some(Name { name, found_in: Some(place) }) => {
            line(f, title, format_args!("{}  (from {place})", name.escape_debug()))
        }
        Some(Name { name, found_in: None }) => line(f, title, format_args!("{}", name.escape_debug())),
        None => line(f, title, format_args!("none")),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: {}", self.place, value.escape_debug()),
            None => write!(f, "{}: nothing", self.place),
        }
    }
}

impl fmt::Display for BodyRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes read ahead", self.bytes_read_ahead)?;
        if !self.is_enough {
            write!(f, ", identify.peek_bytes_max; what follows is not looked at")?;
        }
        match self.flags.is_empty() {
            true => Ok(()),
            false => write!(f, "; noticed: {}", self.flags.join(", ")),
        }
    }
}

impl fmt::Display for CountedUnder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backend={:?}, model={:?}", self.backend, self.model)?;
        match &self.once_answered {
            Some(name) => write!(f, "; model={name:?} from its first success on"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Starts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_start {
            return line(f, "hot or cold", format_args!("neither: no inference"));
        }
        let lifecycle = if self.lifecycle {
            "the first answer after a load that passed through is cold"
        } else {
            "loads are not followed"
        };
        let state = match self.state {
            PollMode::Off => "the server is not asked (backends[].state)",
            PollMode::Auto => "the first answer of a model that the server did not have loaded is cold",
        };
        let headers = self.headers.iter().map(|rule| ("header", rule.as_str()));
        let statuses = self.statuses.iter().map(|rule| ("status", rule.as_str()));
        let others = [("lifecycle", lifecycle), ("state", state)];
        let mut title = "hot or cold";
        let inferred = self.inferred.iter().map(|rule| ("inferred", rule.as_str()));
        for (evidence, rule) in headers.chain(statuses).chain(others).chain(inferred) {
            line(f, title, format_args!("{evidence:10} {rule}"))?;
            title = "";
        }
        Ok(())
    }
}

impl fmt::Display for RouteTried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.fit == "chosen" { '*' } else { ' ' };
        write!(f, "{mark} {:12} to {}: {}", format!("routes[{}]", self.route), self.backend, self.why)
    }
}

fn one_rule(f: &mut fmt::Formatter<'_>, rule: &RuleTried, width: usize) -> fmt::Result {
    let mark = if rule.fit == "chosen" { '*' } else { ' ' };
    writeln!(f, "{mark} {:width$}  {:7}  {}", rule.path, action(rule.action), rule.why)
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::Infer => "infer",
        Action::Load => "load",
        Action::Unload => "unload",
        Action::Control => "control",
    }
}

const fn plane(plane: Plane) -> &'static str {
    match plane {
        Plane::Inference => "inference",
        Plane::Management => "management",
    }
}
