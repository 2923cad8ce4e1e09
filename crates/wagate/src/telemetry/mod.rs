//! Logs and metrics of the process.

mod figures;
mod lines;
mod panics;
mod scrub;

pub(crate) use self::figures::{keep_current, max_open_files, start_metrics};
pub(crate) use self::lines::start_logs;
