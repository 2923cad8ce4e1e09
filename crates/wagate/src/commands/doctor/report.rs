//! What a look at the installation found.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Ok,
    /// Works, and somebody should look at it.
    Warn,
    /// Does not work.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// All checks so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) checks: Vec<Check>,
}

impl Report {
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.add(name, Outcome::Ok, found.into(), None);
    }

    pub(super) fn warn(
        &mut self,
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(name, Outcome::Warn, found.into(), Some(remedy.into()));
    }

    pub(super) fn fail(
        &mut self,
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(name, Outcome::Fail, found.into(), Some(remedy.into()));
    }

    /// A warning where something was counted.
    pub(super) fn count(
        &mut self,
        name: &'static str,
        count: i64,
        what: &str,
        remedy: &'static str,
    ) {
        if count == 0 {
            self.ok(name, format!("no {what}"));
        } else {
            self.warn(name, format!("{count} {what}"), remedy);
        }
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, found: String, remedy: Option<String>) {
        self.checks.push(Check {
            name,
            outcome,
            found,
            remedy,
        });
    }

    pub(super) fn failures(&self) -> usize {
        let failed = self.checks.iter().filter(|c| c.outcome == Outcome::Fail);
        failed.count()
    }

    /// The report as lines.
    pub(super) fn text(&self) -> String {
        let lines = self.checks.iter().map(|check| {
            let word = match check.outcome {
                Outcome::Ok => "ok  ",
                Outcome::Warn => "warn",
                Outcome::Fail => "FAIL",
            };
            let remedy = check
                .remedy
                .as_ref()
                .map(|remedy| format!("\n      → {remedy}"))
                .unwrap_or_default();
            format!("{word}  {}: {}{remedy}", check.name, check.found)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
