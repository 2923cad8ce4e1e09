//! `wagate doctor`: what is wrong with the installation, and what to do.

mod installation;
mod machine;
mod report;

use anyhow::bail;

use self::report::Report;
use crate::cli::Doctor;
use crate::config::{self, Config};
use crate::parts::Parts;
use crate::print;

/// Looks at everything, changes nothing that is there, and goes on after what fails.
pub(crate) async fn doctor(arguments: &Doctor) -> anyhow::Result<()> {
    let mut report = Report::default();
    check_build(&mut report);
    match config::load(&arguments.common.flags()) {
        Ok(config) => {
            report.ok("configuration", "every value can be used");
            check_variables(&mut report);
            machine::check(&mut report, &config);
            check_installation(&mut report, &config).await;
        }
        Err(error) => report.fail(
            "configuration",
            error.to_string(),
            "mend it; see `wagate config`",
        ),
    }
    if arguments.json {
        print(serde_json::to_string(&report)?)?;
    } else {
        print(report.text())?;
    }
    match report.failures() {
        0 => Ok(()),
        count => bail!("{count} of {} checks failed", report.checks.len()),
    }
}

fn check_build(report: &mut Report) {
    let version = env!("CARGO_PKG_VERSION");
    if wagate_engine::verifies_certificate_chain() {
        report.ok("build", format!("wagate {version}, for production"));
    } else {
        report.warn(
            "build",
            format!("wagate {version}, a SANDBOX build: it talks to the simulator only"),
            "build without `--features sandbox`",
        );
    }
}

fn check_variables(report: &mut Report) {
    let unknown = config::unknown_variables();
    if !unknown.is_empty() {
        report.warn(
            "environment",
            format!("no settings: {}", unknown.join(", ")),
            "see `wagate config` for their names",
        );
    }
}

async fn check_installation(report: &mut Report, config: &Config) {
    if config.is_embedded() && !config.has_database_file() {
        return report.warn(
            "database",
            format!("none at {} yet", config.store_url()),
            "`wagate serve` or `wagate key create` makes it",
        );
    }
    match Parts::open_existing(config).await {
        Ok(parts) => {
            installation::check(report, &parts).await;
            parts.store.close().await;
        }
        Err(error) => report.fail(
            "database",
            format!("{error:#}"),
            "see whether it runs and can be reached with `store.url`",
        ),
    }
}
