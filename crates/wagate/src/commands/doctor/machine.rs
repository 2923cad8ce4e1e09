//! What this machine gives: the data folder, the key file, ports, limits.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;

use super::report::Report;
use crate::config::{Config, Role};
use crate::telemetry;

/// Free space below which something should be done, in bytes.
const MIN_FREE_BYTES: u64 = 1 << 30;

/// File descriptors below which thousands of sessions do not fit.
const MIN_FILES: f64 = 4_096.0;

pub(super) fn check(report: &mut Report, config: &Config) {
    check_folder(report, config);
    check_key_file(report, config);
    if config.runs(Role::Router) {
        check_port(report, "api.listen", config.api.listen);
    }
    if let Some(address) = config.api.metrics_listen {
        check_port(report, "api.metrics_listen", address);
    }
    match telemetry::max_open_files() {
        Some(limit) if limit < MIN_FILES => report.warn(
            "open files",
            format!("at most {limit}"),
            "every session and socket takes one: raise it (`ulimit -n`, LimitNOFILE=)",
        ),
        Some(limit) => report.ok("open files", format!("at most {limit}")),
        None => {}
    }
}

fn check_folder(report: &mut Report, config: &Config) {
    const NAME: &str = "data folder";
    let folder = &config.data_dir;
    let shown = folder.display();
    let metadata = match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            return report.fail(NAME, format!("{shown} is no folder"), "set `data_dir`");
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !config.is_embedded() => {
            return report.ok(
                NAME,
                format!("{shown} is not there yet; the first start makes it"),
            );
        }
        Err(error) => {
            return report.warn(
                NAME,
                format!("{shown}: {error}"),
                "the first start makes it; if there was one, set `data_dir` or --data",
            );
        }
    };
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 {
        report.warn(
            NAME,
            format!("others may write to {shown} (mode {mode:03o})"),
            format!("chmod go-w {shown}"),
        );
    } else {
        report.ok(
            NAME,
            format!("{shown}, mode {mode:03o}, owner {}", metadata.uid()),
        );
    }
    if let Some(free) = free_bytes(folder) {
        let found = format!("{} MiB", free >> 20);
        if free < MIN_FREE_BYTES {
            report.warn(
                "free space",
                found,
                "make room: a full disk stops everything",
            );
        } else {
            report.ok("free space", found);
        }
    }
}

/// Asks `df`, which is everywhere: the standard library does not tell.
fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let output = std::process::Command::new("df")
        .args(["-P", "-k", "--"])
        .arg(folder)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: u64 = text
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kib << 10)
}

fn check_key_file(report: &mut Report, config: &Config) {
    const NAME: &str = "master key";
    if !config.store.master_keys.is_empty() {
        return report.ok(NAME, "from the configuration");
    }
    let file = crate::parts::key_file(config);
    let shown = file.display();
    match file.metadata() {
        Ok(metadata) if metadata.mode() & 0o077 != 0 => report.fail(
            NAME,
            format!("others may read {shown}"),
            format!("chmod 600 {shown}"),
        ),
        Ok(_) => report.ok(NAME, format!("{shown}; keep a copy with every backup")),
        Err(_) if config.has_database_file() => report.fail(
            NAME,
            format!("{shown} is missing, and there is a database"),
            "put it back from its backup",
        ),
        Err(_) => report.ok(NAME, "none yet; the first start makes it"),
    }
}

fn check_port(report: &mut Report, name: &'static str, address: SocketAddr) {
    match TcpListener::bind(address) {
        Ok(_) => report.ok(name, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => report.warn(
            name,
            format!("{address} is in use"),
            "fine where wagate runs already; otherwise set another address",
        ),
        Err(error) => report.fail(
            name,
            format!("{address}: {error}"),
            "set an address of this machine that the user may listen on",
        ),
    }
}
