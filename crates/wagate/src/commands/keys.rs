//! `wagate key …`.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wagate_cluster::Signal;
use wagate_identity::{NewApiKey, Randomness as _, SystemRandomness};
use wagate_model::{ApiKey, ApiKeyId, Capability, Organization};

use super::organizations::{find, open};
use crate::cli::{Common, CreateKey, KeyCommand};
use crate::print;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Makes, lists or revokes API keys, or draws a master key.
pub(crate) async fn key(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create(arguments) => create(arguments).await,
        KeyCommand::List {
            common,
            organization,
        } => list(&common, &organization).await,
        KeyCommand::Revoke {
            common,
            organization,
            key,
        } => revoke(&common, &organization, key).await,
        KeyCommand::Master => {
            let mut bytes = [0; 32];
            SystemRandomness.fill(&mut bytes);
            print(STANDARD.encode(bytes))
        }
    }
}

async fn create(arguments: CreateKey) -> anyhow::Result<()> {
    let parts = open(&arguments.common).await?;
    let organization: Organization = match find(&parts.identity, &arguments.organization).await? {
        Some(organization) => organization,
        None if arguments.organization.starts_with("org_") => {
            anyhow::bail!("there is no organization of that id")
        }
        None => {
            parts
                .identity
                .create_organization(&arguments.organization)
                .await?
        }
    };
    let expires_at = arguments
        .expires_in_days
        .map(|days| parts.clock.now_ms() + i64::from(days) * DAY_MS);
    let created = parts
        .identity
        .create_api_key(
            organization.id,
            NewApiKey {
                name: arguments.name,
                capabilities: arguments.capabilities.into_iter().collect(),
                session_ids: arguments.sessions,
                expires_at,
            },
        )
        .await?;
    parts.store.close().await;
    print(created.secret.reveal())
}

async fn list(common: &Common, organization: &str) -> anyhow::Result<()> {
    let parts = open(common).await?;
    let organization = find(&parts.identity, organization)
        .await?
        .context("there is no such organization")?;
    let keys = parts.identity.api_keys(organization.id).await?;
    let now_ms = parts.clock.now_ms();
    parts.store.close().await;
    print(
        keys.iter()
            .map(|key| describe(key, now_ms))
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

fn describe(key: &ApiKey, now_ms: i64) -> String {
    let state = match key.revoked_at {
        Some(_) => "revoked",
        None if key.is_valid_at(now_ms) => "active",
        None => "expired",
    };
    let capabilities: Vec<_> = key.capabilities.iter().map(Capability::as_str).collect();
    format!(
        "{}  {}…  {state}  {}  {}",
        key.id,
        key.hint,
        capabilities.join(","),
        key.name
    )
}

async fn revoke(common: &Common, organization: &str, key_id: ApiKeyId) -> anyhow::Result<()> {
    let parts = open(common).await?;
    let organization = find(&parts.identity, organization)
        .await?
        .context("there is no such organization")?;
    parts
        .identity
        .revoke_api_key(organization.id, key_id)
        .await?;
    parts.bus.publish(Signal::KeyRevoked { key_id });
    parts.store.close().await;
    print("revoked")
}
