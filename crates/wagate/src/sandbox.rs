//! Everything in one process against a simulated WhatsApp.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use wagate_delivery::AllowList;
use wagate_engine::Endpoint;
use wagate_identity::{
    Identity, IdentityError, NewApiKey, NewUser, Randomness as _, SystemRandomness,
};
use wagate_model::{Actor, Capabilities, OrganizationId, PlatformRole, Role};
use wagate_simulator::{Simulator, SimulatorConfig};

use crate::cli::Sandbox;
use crate::config::{Config, SANDBOX_GATEWAY_ID, SignUpPolicy};
use crate::service::{Service, Surroundings};
use crate::telemetry;

/// The address of the demo user.
const DEMO_EMAIL: &str = "demo@example.com";

/// The file in the data folder that keeps what the first start made.
const STATE_FILE: &str = "sandbox.json";

/// What a sandbox tells when everything answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// The API's base URL.
    pub api: String,
    /// The simulator's base URL.
    pub simulator: String,
    /// The demo organization.
    pub organization_id: String,
    /// A key of the demo organization that may do everything.
    pub api_key: String,
    /// The address of the demo user, the organization's owner and the installation's operator.
    pub email: String,
    /// The demo user's password.
    pub password: String,
    /// The numbers of the demo phones.
    pub phones: Vec<String>,
    /// The process.
    pub pid: u32,
}

/// What stays the same over restarts.
#[derive(Serialize, Deserialize)]
struct State {
    organization_id: OrganizationId,
    api_key: String,
    // Sandboxes of earlier versions have no user.
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    phones: Vec<String>,
}

/// A sandbox that runs in this process.
pub struct RunningSandbox {
    ready: Ready,
    service: Service,
    simulator: Option<Simulator>,
}

impl std::fmt::Debug for RunningSandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunningSandbox")
    }
}

impl RunningSandbox {
    /// Starts the simulator (or uses the one that runs), all roles, and the demo organization.
    pub async fn start(arguments: &Sandbox, data: &Path) -> anyhow::Result<Self> {
        let simulator = start_simulator(arguments, data).await?;
        let simulator_url = match (&simulator, &arguments.simulator) {
            (Some(running), _) => format!("http://{}", running.addr()),
            (None, Some(url)) => url.trim_end_matches('/').to_owned(),
            (None, None) => unreachable!("without a URL the simulator was started"),
        };
        let control = Control::new(&simulator_url)?;
        let config = configuration(arguments, data);
        let surroundings = against(&control).await?;
        let service = Service::start(&config, surroundings, telemetry::start_metrics()?).await?;
        let state = state(data, &service.parts.identity, &control, arguments.phones).await?;
        let address = service.api_addr.context("the sandbox runs the API")?;
        let ready = Ready {
            api: format!("http://{address}"),
            simulator: simulator_url,
            organization_id: state.organization_id.to_string(),
            api_key: state.api_key,
            email: state.email,
            password: state.password,
            phones: state.phones,
            pid: std::process::id(),
        };
        Ok(Self {
            ready,
            service,
            simulator,
        })
    }

    /// Where everything is.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Waits until a listener has ended by itself.
    pub(crate) async fn broken(&self) {
        self.service.broken().await;
    }

    /// Ends in order.
    pub async fn shutdown(self) {
        self.service.shutdown().await;
        if let Some(simulator) = self.simulator {
            simulator.shutdown().await;
        }
    }
}

async fn against(control: &Control) -> anyhow::Result<Surroundings> {
    Ok(Surroundings {
        endpoint: Endpoint::Simulator(control.chat_url().await?),
        follows_version: false,
        allowed: AllowList::loopback(),
    })
}

/// What `serve` does differently against a simulator that runs already.
pub(crate) async fn surroundings(simulator: &str) -> anyhow::Result<Surroundings> {
    against(&Control::new(simulator.trim_end_matches('/'))?).await
}

async fn start_simulator(arguments: &Sandbox, data: &Path) -> anyhow::Result<Option<Simulator>> {
    if arguments.simulator.is_some() {
        return Ok(None);
    }
    let folder = arguments
        .simulator_data
        .clone()
        .unwrap_or_else(|| data.join("simulator"));
    let config = simulator_config(arguments.simulator_listen, None, Some(folder));
    Ok(Some(
        Simulator::start(config)
            .await
            .context("starting the simulator")?,
    ))
}

/// The simulator's configuration.
pub(crate) fn simulator_config(
    listen: SocketAddr,
    tls_listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
) -> SimulatorConfig {
    SimulatorConfig {
        tls_listen,
        data_dir,
        ..SimulatorConfig::new(listen)
    }
}

fn configuration(arguments: &Sandbox, data: &Path) -> Config {
    let mut config = Config {
        data_dir: data.to_owned(),
        ..Config::default()
    };
    config.api.listen = arguments.listen;
    config.store.url.clone_from(&arguments.store);
    config.store.schema.clone_from(&arguments.store_schema);
    config.gateway.id = SANDBOX_GATEWAY_ID.parse().ok();
    config.identity.sign_up = SignUpPolicy::Open;
    config.sessions.rate_per_min = arguments.rate_per_min;
    config.sessions.rate_per_hour = arguments.rate_per_hour;
    config
}

/// What the first start made, or makes it.
async fn state(
    data: &Path,
    identity: &Identity,
    control: &Control,
    phones: usize,
) -> anyhow::Result<State> {
    let path = data.join(STATE_FILE);
    if let Ok(text) = std::fs::read(&path) {
        let mut state: State =
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        // The state may be older than a simulator that kept nothing.
        for number in &state.phones {
            control.ensure_phone(number).await?;
        }
        if state.password.is_empty() {
            state.password = demo_user(identity, state.organization_id).await?;
            DEMO_EMAIL.clone_into(&mut state.email);
            keep(&path, &state)?;
        }
        return Ok(state);
    }
    let organization = identity.ensure_default_organization().await?;
    let created = identity
        .create_api_key(
            organization.id,
            NewApiKey {
                name: "sandbox".into(),
                capabilities: Capabilities::all(),
                session_ids: None,
                expires_at: None,
            },
            &Actor::operator(),
        )
        .await?;
    let password = demo_user(identity, organization.id).await?;
    let mut numbers = Vec::new();
    for _ in 0..phones {
        numbers.push(control.create_phone().await?);
    }
    let state = State {
        organization_id: organization.id,
        api_key: created.secret.reveal(),
        email: DEMO_EMAIL.to_owned(),
        password,
        phones: numbers,
    };
    keep(&path, &state)?;
    Ok(state)
}

fn keep(path: &Path, state: &State) -> anyhow::Result<()> {
    write_private(path, &serde_json::to_vec_pretty(state)?)
        .with_context(|| path.display().to_string())
}

/// Makes the demo user, or gives the one of a start that was interrupted a new password.
async fn demo_user(identity: &Identity, organization: OrganizationId) -> anyhow::Result<String> {
    let mut bytes = [0; 9];
    SystemRandomness.fill(&mut bytes);
    let password = hex::encode(bytes);
    let (email, actor) = (DEMO_EMAIL.parse()?, Actor::operator());
    match identity.user_by_email(&email).await {
        Ok(user) => {
            let link = identity.issue_password_reset(&user, &actor).await?;
            let token = link.split_once("#token=").map_or("", |(_, token)| token);
            identity
                .reset_password(token, &password.clone().into())
                .await?;
        }
        Err(IdentityError::NotFound) => {
            let new = NewUser {
                email,
                name: "Demo".into(),
                password: Some(password.clone().into()),
                platform_role: PlatformRole::SuperAdmin,
                is_email_confirmed: true,
                membership: Some((organization, Role::Owner)),
            };
            identity.create_user(new, Some(&actor)).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(password)
}

/// Writes a file that only its owner can read: it holds a key.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let draft = path.with_extension("draft");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(draft, path)
}

/// The simulator's control API.
struct Control {
    base: String,
    http: reqwest::Client,
}

impl Control {
    fn new(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()?;
        Ok(Self {
            base: format!("{base}/sim/v1"),
            http,
        })
    }

    async fn chat_url(&self) -> anyhow::Result<Url> {
        let told: Value = self
            .http
            .get(&self.base)
            .send()
            .await
            .context("asking the simulator where it listens")?
            .error_for_status()?
            .json()
            .await?;
        let url = told["chatUrl"]
            .as_str()
            .context("the simulator tells no chat URL")?;
        Ok(url.parse()?)
    }

    async fn create_phone(&self) -> anyhow::Result<String> {
        let made = self.post_phone(&json!({})).await?.error_for_status()?;
        let phone: Value = made.json().await?;
        Ok(phone["number"]
            .as_str()
            .context("a phone has a number")?
            .to_owned())
    }

    async fn ensure_phone(&self, number: &str) -> anyhow::Result<()> {
        let made = self.post_phone(&json!({"number": number})).await?;
        let is_there = made.status().is_success() || made.status() == reqwest::StatusCode::CONFLICT;
        ensure!(is_there, "the simulator refused a phone: {}", made.status());
        Ok(())
    }

    async fn post_phone(&self, body: &Value) -> anyhow::Result<reqwest::Response> {
        Ok(self
            .http
            .post(format!("{}/phones", self.base))
            .json(body)
            .send()
            .await?)
    }
}
