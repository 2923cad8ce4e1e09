//! The `wagate` binary.

use std::process::ExitCode;

/// Thousands of sessions allocate and free small pieces all day: mimalloc keeps
/// the process smaller than the system's allocator does (figures in BENCHMARKS.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wagate_app::run(std::env::args_os())
}
