//! The measuring programs: what the figures of `BENCHMARKS.md` are made with.
//!
//! The service and the simulator run as processes of their own, so that each
//! one's memory and time can be told apart.

mod auth;
mod files;
mod files_in;
mod groups;
mod history;
mod inbound;
mod latency;
mod memory;
mod process;
mod restart;
mod search;
mod sends;
mod setup;

use std::io::Write as _;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "wagate-bench", about = "Measures wagate against its simulator")]
struct Cli {
    #[command(subcommand)]
    program: Program,
}

#[derive(Debug, Subcommand)]
enum Program {
    /// Memory of the service per connected idle session.
    Memory {
        /// How many sessions.
        #[arg(long, default_value_t = 100)]
        sessions: usize,
        /// How long the sessions idle before memory is read, in seconds.
        #[arg(long, default_value_t = 30)]
        idle_seconds: u64,
    },
    /// Synchronous sends per second through the API, acknowledged by the simulator.
    Sends {
        /// How many sessions send.
        #[arg(long, default_value_t = 50)]
        sessions: usize,
        /// How many requests are open at the same time.
        #[arg(long, default_value_t = 64)]
        concurrency: usize,
        /// For how long, in seconds.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Queue them (`?async=true`) instead of waiting for WhatsApp.
        #[arg(long)]
        queued: bool,
    },
    /// From a phone's send to the webhook's first attempt and to the WebSocket frame.
    Inbound {
        /// How many sessions receive.
        #[arg(long, default_value_t = 50)]
        sessions: usize,
        /// Messages per second, over all sessions.
        #[arg(long, default_value_t = 200)]
        rate: u64,
        /// For how long, in seconds.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Recognizing callers by key and by login token, and signing in.
    Auth {
        /// How many requests are open at the same time.
        #[arg(long, default_value_t = 16)]
        concurrency: usize,
        /// For how long each kind of request is made, in seconds.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// The search in stored messages, straight at the store.
    Search {
        /// How many messages one session has.
        #[arg(long, default_value_t = 1_000_000)]
        messages: usize,
    },
    /// Large files out, and one of them in again: time and memory.
    Files {
        /// The size of a file, in MiB.
        #[arg(long, default_value_t = 16)]
        mebibytes: usize,
        /// How many are sent.
        #[arg(long, default_value_t = 16)]
        files: usize,
        /// How many at the same time, each by a session of its own.
        #[arg(long, default_value_t = 4)]
        concurrency: usize,
    },
    /// Large files in, kept as they come, and read by clients: time, memory, and what other
    /// requests take meanwhile.
    FilesIn {
        /// The size of a file, in MiB.
        #[arg(long, default_value_t = 16)]
        mebibytes: usize,
        /// How many come in.
        #[arg(long, default_value_t = 16)]
        files: usize,
        /// How many phones send at the same time, and how many clients read.
        #[arg(long, default_value_t = 4)]
        concurrency: usize,
    },
    /// Sending to a large group.
    Groups {
        /// How many members it has.
        #[arg(long, default_value_t = 1_000)]
        members: usize,
        /// How many messages are sent.
        #[arg(long, default_value_t = 20)]
        messages: usize,
    },
    /// The history that a phone sends after pairing: time, memory, and what others notice.
    History {
        /// How many messages there are.
        #[arg(long, default_value_t = 100_000)]
        messages: usize,
        /// In how many chats.
        #[arg(long, default_value_t = 500)]
        chats: usize,
    },
    /// From the start of a killed service until all its sessions work again.
    Restart {
        /// How many sessions.
        #[arg(long, default_value_t = 500)]
        sessions: usize,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let line = match Cli::parse().program {
        Program::Memory {
            sessions,
            idle_seconds,
        } => memory::measure(sessions, idle_seconds).await,
        Program::Sends {
            sessions,
            concurrency,
            seconds,
            queued,
        } => sends::measure(sessions, concurrency, seconds, queued).await,
        Program::Inbound {
            sessions,
            rate,
            seconds,
        } => inbound::measure(sessions, rate, seconds).await,
        Program::Auth {
            concurrency,
            seconds,
        } => auth::measure(concurrency, seconds).await,
        Program::Search { messages } => search::measure(messages).await,
        Program::Files {
            mebibytes,
            files,
            concurrency,
        } => files::measure(mebibytes, files, concurrency).await,
        Program::FilesIn {
            mebibytes,
            files,
            concurrency,
        } => files_in::measure(mebibytes, files, concurrency).await,
        Program::Groups { members, messages } => groups::measure(members, messages).await,
        Program::History { messages, chats } => history::measure(messages, chats).await,
        Program::Restart { sessions } => restart::measure(sessions).await,
    }?;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
