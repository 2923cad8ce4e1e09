//! What the system tells of a process.

use anyhow::Context as _;

/// The resident memory of a process, in KiB (`VmRSS` of Linux's `/proc`).
pub(crate) fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory that a process has had, in KiB (`VmHWM`).
pub(crate) fn peak_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, name: &'static str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .context(name)?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The processor time that a process has used, in clock ticks (usually 1/100 s).
pub(crate) fn ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold spaces: fields are counted behind it.
    let (_, fields) = stat.rsplit_once(')').context("stat")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}
