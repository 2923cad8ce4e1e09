//! The `wagate` binary with its sandbox, for tests that start and kill a process.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wagate_app::run(std::env::args_os())
}
