//! Wires the files of messages to WhatsApp and to the gateways.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use wagate_cluster::{Bus, CommandReply, Placement, SessionAction, SessionCommand};
use wagate_core::{Decoders, FileIntake, FileLimits, LinkPreviews};
use wagate_delivery::{AddressGuard, ClientTimeouts, GuardedClient};
use wagate_engine::{FetchError, MediaFetcher, MediaOrigin};
use wagate_model::{MediaId, OrganizationId, SessionId};
use wagate_storage::{AskPhone, Fetch, FetchFailure, Files, FilesConfig, PhoneAnswer, Storage};
use wagate_store::Store;

use crate::config::{Config, Role};
use crate::parts::Parts;
use crate::service::Surroundings;

/// How long a phone is given to send a file again; more than its gateway gives it.
const PHONE_TIMEOUT: Duration = Duration::from_secs(40);

/// Opens the files, for processes that read, fetch or remove any.
pub(crate) fn open(
    parts: &Parts,
    config: &Config,
    surroundings: &Surroundings,
    guard: AddressGuard,
) -> anyhow::Result<Option<Files>> {
    if !config.runs(Role::Router) && !config.runs(Role::Worker) {
        return Ok(None);
    }
    let client = GuardedClient::new(guard, ClientTimeouts::default())?;
    let folder = config.media_directory();
    let storage = Storage::open(folder.clone(), client, Arc::clone(&parts.clock))
        .with_context(|| format!("opening the folder of files, {}", folder.display()))?;
    let fetcher = MediaFetcher::new(&surroundings.endpoint)?;
    let owners = Owners {
        placement: Placement::new(parts.store.clone()),
        store: parts.store.clone(),
        bus: parts.bus.clone(),
    };
    Ok(Some(Files::new(
        parts.store.clone(),
        storage,
        Arc::clone(&parts.clock),
        Arc::new(WhatsApp(fetcher)),
        Arc::new(owners),
        FilesConfig {
            link_ttl: Duration::from_secs(config.media.link_seconds),
            concurrency: config.media.concurrency,
            capture_limit_bytes: config.media.capture_limit_bytes,
            ..FilesConfig::default()
        },
    )))
}

/// Takes in the files of messages to send.
pub(crate) fn intake(
    config: &Config,
    guard: AddressGuard,
    decoders: Decoders,
) -> anyhow::Result<FileIntake> {
    let client = GuardedClient::new(guard, ClientTimeouts::default())?;
    let limits = FileLimits {
        file_bytes: config.media.file_limit_bytes,
        message_bytes: config.media.message_limit_bytes,
        voice_seconds: config.media.voice_limit_seconds,
        ..FileLimits::default()
    };
    Ok(FileIntake::new(client, limits, decoders))
}

/// Looks at pages that texts link to, unless the operator wants none of it.
pub(crate) fn previews(
    config: &Config,
    guard: AddressGuard,
    decoders: Decoders,
) -> anyhow::Result<Option<LinkPreviews>> {
    if !config.media.link_previews {
        return Ok(None);
    }
    let client = GuardedClient::new(guard, ClientTimeouts::default())?;
    Ok(Some(LinkPreviews::new(client, decoders)))
}

/// WhatsApp's media hosts.
struct WhatsApp(MediaFetcher);

#[async_trait]
impl Fetch for WhatsApp {
    async fn fetch(
        &self,
        source: &[u8],
        file: File,
        limit_bytes: Option<u64>,
    ) -> Result<(), FetchFailure> {
        let origin = MediaOrigin::from_bytes(source).ok_or(FetchFailure::Corrupt)?;
        let fetched = self.0.fetch(&origin.source, file, limit_bytes).await;
        fetched.map(drop).map_err(|error| {
            tracing::debug!(%error, "a file was not fetched");
            match error {
                FetchError::Gone => FetchFailure::Gone,
                FetchError::Corrupt => FetchFailure::Corrupt,
                FetchError::Disk(_) => FetchFailure::Full,
                FetchError::TooLarge => FetchFailure::TooLarge,
                _ => FetchFailure::Unreachable,
            }
        })
    }
}

/// The gateways that own sessions, and through them their phones.
struct Owners {
    store: Store,
    bus: Bus,
    placement: Placement,
}

impl Owners {
    async fn ask_owner(
        &self,
        organization: OrganizationId,
        session: SessionId,
        media: MediaId,
    ) -> anyhow::Result<PhoneAnswer> {
        let mut tx = self.store.read().await?;
        let record = tx.session(organization, session).await?;
        drop(tx);
        let Some(record) = record else {
            return Ok(PhoneAnswer::Gone);
        };
        let owner = self
            .placement
            .for_session(&record.session.gateway_id)
            .await?;
        let command = SessionCommand {
            organization_id: organization,
            session_id: session,
            action: SessionAction::AskForMedia { media },
        };
        let answer = self.bus.request(&owner, command, PHONE_TIMEOUT).await?;
        Ok(match answer {
            Ok(CommandReply::Media { is_there: true }) => PhoneAnswer::SentAgain,
            Ok(CommandReply::Media { is_there: false }) => PhoneAnswer::Gone,
            _ => PhoneAnswer::Away,
        })
    }
}

#[async_trait]
impl AskPhone for Owners {
    async fn ask(
        &self,
        organization: OrganizationId,
        session: SessionId,
        media: MediaId,
    ) -> PhoneAnswer {
        let answer = self.ask_owner(organization, session, media).await;
        answer.unwrap_or_else(|error| {
            tracing::debug!(session.id = %session, %error, "a phone cannot be asked for a file");
            PhoneAnswer::Away
        })
    }
}
