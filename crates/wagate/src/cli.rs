//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use wagate_model::{ApiKeyId, Capability, Email, PlatformRole, SessionId};

use crate::config::{Flags, Role};

/// A self-hosted, multi-tenant WhatsApp gateway.
#[derive(Debug, Parser)]
#[command(name = "wagate", version, about, disable_version_flag = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service.
    Serve(Serve),
    /// Run everything with a simulated WhatsApp: no phone, no internet.
    #[cfg(feature = "sandbox")]
    Sandbox(Sandbox),
    /// Run only the simulated WhatsApp.
    #[cfg(feature = "sandbox")]
    Simulator(Simulator),
    /// Bring the database up to date, then end.
    Migrate(Common),
    /// Print the OpenAPI document.
    Openapi {
        /// As YAML instead of JSON.
        #[arg(long)]
        yaml: bool,
    },
    /// Print the reference of every setting.
    Config,
    /// Manage organizations.
    #[command(subcommand)]
    Organization(OrganizationCommand),
    /// Manage API keys, and the keys that the service signs and seals with.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Manage people's accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Check configuration, database and bus, and say what is wrong.
    Doctor(Doctor),
    /// Print the version and how the binary was built.
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) common: Common,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What every command that touches the installation takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Common {
    /// Configuration file (default: wagate.toml, where there is one).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the embedded database and of the keys.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
}

impl Common {
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            file: self.config.clone(),
            data_dir: self.data.clone(),
            ..Flags::default()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Address of the API.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Which parts to run, separated by commas (default: all).
    #[arg(long, value_delimiter = ',')]
    pub(crate) roles: Option<Vec<Role>>,
    /// Print one line of JSON when it is ready: where it listens, and the process's id.
    #[arg(long)]
    pub(crate) json: bool,
    /// Connect to a simulator instead of WhatsApp, such as `http://127.0.0.1:8090`.
    #[cfg(feature = "sandbox")]
    #[arg(long, value_name = "URL")]
    pub(crate) simulator: Option<String>,
}

impl Serve {
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            listen: self.listen,
            roles: self.roles.clone(),
            ..self.common.flags()
        }
    }
}

/// Options of the sandbox.
#[cfg(feature = "sandbox")]
#[derive(Debug, Clone, Args)]
pub struct Sandbox {
    /// Address of the API; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address of the simulator; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    pub simulator_listen: SocketAddr,
    /// Folder in which the sandbox goes on next time (default: a temporary one).
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Folder of the simulator's state (default: inside the data folder).
    #[arg(long, value_name = "FOLDER")]
    pub simulator_data: Option<PathBuf>,
    /// Use a simulator that runs already, such as `http://127.0.0.1:8090`.
    #[arg(long, value_name = "URL", conflicts_with_all = ["simulator_listen", "simulator_data"])]
    pub simulator: Option<String>,
    /// The database (default: SQLite in the data folder).
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// The PostgreSQL schema to work in, made when it is missing.
    #[arg(long, value_name = "NAME", requires = "store")]
    pub store_schema: Option<String>,
    /// Print one line of JSON when everything answers, instead of the guide.
    #[arg(long)]
    pub json: bool,
    /// Demo phones to have.
    #[arg(long, default_value_t = 2)]
    pub phones: usize,
    /// Sends per minute that new sessions may do; 0 is unlimited.
    #[arg(long, default_value_t = 20)]
    pub rate_per_min: i64,
    /// Sends per hour that new sessions may do; 0 is unlimited.
    #[arg(long, default_value_t = 200)]
    pub rate_per_hour: i64,
}

#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub(crate) struct Simulator {
    /// Address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Address of the chat socket with TLS and a self-signed certificate.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) tls_listen: Option<SocketAddr>,
    /// Folder in which the simulator goes on next time (default: nothing is kept).
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Print one line of JSON when it answers.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// Make an organization and print its id.
    Create {
        #[command(flatten)]
        common: Common,
        /// What people call it.
        name: String,
    },
    /// List the organizations.
    List {
        #[command(flatten)]
        common: Common,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an API key and print it, once.
    Create(CreateKey),
    /// List an organization's keys, without their secrets.
    List {
        #[command(flatten)]
        common: Common,
        /// The organization's id or name.
        #[arg(long)]
        organization: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a key useless at once.
    Revoke {
        #[command(flatten)]
        common: Common,
        /// The organization's id or name.
        #[arg(long)]
        organization: String,
        /// The key's id, as `list` shows it.
        key: ApiKeyId,
    },
    /// Sign login tokens with a new key from now on.
    RotateSigning {
        #[command(flatten)]
        common: Common,
        /// Refuse every token that was made before, as after a key was stolen: browsers that
        /// are signed in get new ones by themselves.
        #[arg(long)]
        revoke_earlier: bool,
    },
    /// Print a new master key for `store.master_keys`.
    Master,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make an account; the password is asked for, or read from standard input.
    Create(CreateUser),
    /// List the accounts.
    List {
        #[command(flatten)]
        common: Common,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a link that sets a new password, once.
    ResetPassword {
        #[command(flatten)]
        common: Common,
        /// The account's address.
        email: Email,
    },
    /// Keep somebody out, at once.
    Ban {
        #[command(flatten)]
        common: Common,
        /// The account's address.
        email: Email,
        /// Why, for other operators.
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a ban.
    Unban {
        #[command(flatten)]
        common: Common,
        /// The account's address.
        email: Email,
    },
    /// Make somebody an operator (`super_admin`), or an ordinary user (`user`).
    SetRole {
        #[command(flatten)]
        common: Common,
        /// The account's address.
        email: Email,
        /// `user` or `super_admin`.
        role: PlatformRole,
    },
    /// Switch a lost second factor off.
    RemoveTotp {
        #[command(flatten)]
        common: Common,
        /// The account's address.
        email: Email,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateUser {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The address that the person signs in with.
    pub(crate) email: Email,
    /// What the person is called (default: the address).
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Operates the installation: sees all organizations, bans users.
    #[arg(long)]
    pub(crate) super_admin: bool,
    /// The organization to join, by id or name; made when there is none of that name.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// What the person is there: owner, admin or member (default: owner).
    #[arg(long, requires = "organization")]
    pub(crate) role: Option<wagate_model::Role>,
    /// Ask for no password, and print a link that sets it.
    #[arg(long)]
    pub(crate) link: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The organization's id or name; made when there is none of that name.
    #[arg(long)]
    pub(crate) organization: String,
    /// What the key is for.
    #[arg(long, default_value = "key")]
    pub(crate) name: String,
    /// What it may do: read, send, manage, events.
    #[arg(long, value_delimiter = ',', default_values = ["read", "send", "manage", "events"])]
    pub(crate) capabilities: Vec<Capability>,
    /// Days until it stops working (default: never).
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires_in_days: Option<u32>,
    /// The only sessions it may touch, separated by commas (default: all).
    #[arg(long, value_delimiter = ',')]
    pub(crate) sessions: Option<Vec<SessionId>>,
    /// Print the key with its id and its organization as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
