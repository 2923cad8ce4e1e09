//! The whole service: configuration, wiring of roles, commands.
//!
//! A library so that tests can start it; `main.rs` only calls [`run`].

mod cli;
mod commands;
mod config;
mod data_lock;
mod files;
mod housekeeping;
mod identity;
mod parts;
#[cfg(feature = "sandbox")]
mod sandbox;
mod service;
mod signals;
mod telemetry;
mod versions;
mod webhooks;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

#[cfg(feature = "sandbox")]
pub use crate::cli::Sandbox;
#[cfg(feature = "sandbox")]
pub use crate::sandbox::{Ready, RunningSandbox};

/// Runs the command line and gives the process's exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help and mistakes: clap knows which stream and which code.
        Err(told) => {
            let _ = told.print();
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
        }
    };
    // One TLS stack for the process; a second call in the same process is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(dispatch(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(arguments) => commands::serve(&arguments).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(arguments) => commands::sandbox(arguments).await,
        #[cfg(feature = "sandbox")]
        Command::Simulator(arguments) => commands::simulator(arguments).await,
        Command::Migrate(common) => commands::migrate(&common).await,
        Command::Openapi { yaml } => commands::openapi(yaml),
        Command::Config => print(config::markdown().trim_end()),
        Command::Organization(command) => commands::organization(command).await,
        Command::Key(command) => commands::key(command).await,
        Command::User(command) => commands::user(command).await,
        Command::Doctor(arguments) => commands::doctor(&arguments).await,
        Command::Version => commands::version(),
    }
}

/// Writes one line (or several) to standard output.
fn print(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.as_ref())?;
    out.flush()?;
    Ok(())
}

/// Writes a line for the person at the terminal, beside what a program reads.
fn note(text: impl AsRef<str>) {
    // Standard error may be closed; there is nobody left to tell then.
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}

fn fail(error: &anyhow::Error) -> ExitCode {
    note(format!("wagate: {error:#}"));
    ExitCode::FAILURE
}
