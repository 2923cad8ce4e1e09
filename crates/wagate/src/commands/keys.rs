//! `wagate key …`.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use wagate_cluster::Signal;
use wagate_identity::{IdentityError, NewApiKey, Randomness as _, SystemRandomness};
use wagate_model::{Actor, ApiKey, ApiKeyId, Capability, Organization};

use super::organizations::{find, open, open_existing};
use crate::cli::{Common, CreateKey, KeyCommand};
use crate::{note, print};

/// How long the bus may take to tell of a revocation; services find it by themselves, too.
pub(super) const BUS_TIMEOUT: Duration = Duration::from_secs(3);

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// Makes, lists or revokes API keys, or makes a signing key or a master key.
pub(crate) async fn key(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create(arguments) => create(arguments).await,
        KeyCommand::List {
            common,
            organization,
            json,
        } => list(&common, &organization, json).await,
        KeyCommand::Revoke {
            common,
            organization,
            key,
        } => revoke(&common, &organization, key).await,
        KeyCommand::RotateSigning {
            common,
            revoke_earlier,
        } => rotate_signing(&common, revoke_earlier).await,
        KeyCommand::Master => {
            let mut bytes = [0; 32];
            SystemRandomness.fill(&mut bytes);
            print(STANDARD.encode(bytes))
        }
    }
}

async fn create(arguments: CreateKey) -> anyhow::Result<()> {
    let parts = open(&arguments.common).await?;
    let now_ms = parts.clock.now_ms();
    let expires_at = arguments
        .expires_in_days
        .map(|days| now_ms + i64::from(days) * DAY_MS);
    let new = NewApiKey {
        name: arguments.name,
        capabilities: arguments.capabilities.into_iter().collect(),
        session_ids: arguments.sessions,
        expires_at,
    };
    // Before an organization is made for it.
    let faults = new.faults(now_ms).into_result();
    faults.map_err(IdentityError::Invalid)?;
    let organization: Organization = match find(&parts.identity, &arguments.organization).await? {
        Some(organization) => organization,
        None if arguments.organization.starts_with("org_") => {
            anyhow::bail!("there is no organization of that id")
        }
        None => {
            parts
                .identity
                .create_organization(&arguments.organization, &Actor::operator())
                .await?
        }
    };
    let created = parts
        .identity
        .create_api_key(organization.id, new, &Actor::operator())
        .await?;
    parts.store.close().await;
    let key = &created.key;
    if arguments.json {
        return print(
            json!({
                "apiKey": created.secret.reveal(),
                "id": key.id,
                "name": key.name,
                "capabilities": capabilities(key),
                "organizationId": organization.id,
                "organization": organization.name,
            })
            .to_string(),
        );
    }
    // Beside the key, so that a script reads the key alone.
    note(format!(
        "{} of the organization {} ({}); the key is shown this once:",
        key.id, organization.name, organization.id
    ));
    print(created.secret.reveal())
}

async fn list(common: &Common, organization: &str, is_json: bool) -> anyhow::Result<()> {
    let parts = open_existing(common).await?;
    let organization = find(&parts.identity, organization)
        .await?
        .context("there is no such organization")?;
    let keys = parts.identity.api_keys(organization.id).await?;
    let now_ms = parts.clock.now_ms();
    parts.store.close().await;
    if is_json {
        let keys: Vec<_> = keys.iter().map(|key| describe_json(key, now_ms)).collect();
        return print(json!({ "data": keys }).to_string());
    }
    print(
        keys.iter()
            .map(|key| describe(key, now_ms))
            .collect::<Vec<_>>()
            .join("\n"),
    )
}

fn describe(key: &ApiKey, now_ms: i64) -> String {
    format!(
        "{}  {}…  {}  {}  {}",
        key.id,
        key.hint,
        state(key, now_ms),
        capabilities(key).join(","),
        key.name
    )
}

fn describe_json(key: &ApiKey, now_ms: i64) -> serde_json::Value {
    json!({
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "state": state(key, now_ms),
        "capabilities": capabilities(key),
        "sessionIds": key.session_ids,
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "revokedAt": key.revoked_at,
        "lastUsedAt": key.last_used_at,
    })
}

fn state(key: &ApiKey, now_ms: i64) -> &'static str {
    match key.revoked_at {
        Some(_) => "revoked",
        None if key.is_valid_at(now_ms) => "active",
        None => "expired",
    }
}

fn capabilities(key: &ApiKey) -> Vec<&'static str> {
    key.capabilities.iter().map(Capability::as_str).collect()
}

async fn revoke(common: &Common, organization: &str, key_id: ApiKeyId) -> anyhow::Result<()> {
    let parts = open_existing(common).await?;
    let organization = find(&parts.identity, organization)
        .await?
        .context("there is no such organization")?;
    parts
        .identity
        .revoke_api_key(organization.id, key_id, &Actor::operator())
        .await?;
    parts.bus.publish(Signal::KeyRevoked { key_id });
    if let Err(error) = parts.bus.flush(BUS_TIMEOUT).await {
        note(format!(
            "the bus could not be told ({error}): running services notice within a second"
        ));
    }
    parts.store.close().await;
    print("revoked")
}

/// Running services look at the keys every second, and again when they meet one that they do
/// not know.
async fn rotate_signing(common: &Common, revokes_earlier: bool) -> anyhow::Result<()> {
    let parts = open_existing(common).await?;
    let id = parts.identity.rotate_token_keys(revokes_earlier).await?;
    parts.store.close().await;
    print(id.to_string())
}
