//! Committing messages before they are acknowledged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use wagate_model::{Jid, JidKind};
use whatsapp_rust::anyhow;
use whatsapp_rust::types::events::InboundMessage as LibraryMessage;
use whatsapp_rust::wacore::store::error::StoreError;
use whatsapp_rust::{Client, InboundDurabilityHook, async_trait};

use super::addons;
use super::history::HistoryIntake;
use super::secrets::RecentSecrets;
use crate::convert::{self, Converted, Own, library_jid, model_jid};
use crate::{BufferedMessage, InboundBatch, InboundMessage, InboundSink};

/// Hands every batch to the sink first; see [`InboundSink::commit`].
pub(super) struct CommitFirst {
    pub(super) sink: Arc<dyn InboundSink>,
    pub(super) history: Arc<HistoryIntake>,
    pub(super) secrets: RecentSecrets,
}

/// How often messages are looked at while what they refer to cannot be looked up. Where the database
/// is away for as long, the session is another owner's by then, and its sink takes nothing; and what
/// can never be looked up must not hold up the rest.
const LOOKS: usize = 15;
/// How long the next look waits.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

#[async_trait]
impl InboundDurabilityHook for CommitFirst {
    async fn on_messages(
        &self,
        client: Arc<Client>,
        batch: &[LibraryMessage],
    ) -> Result<(), anyhow::Error> {
        let history = self.history.announced_in(batch);
        self.secrets.note(batch);
        let messages = self.patiently_converted(&client, batch).await;
        if messages.is_empty() && history.is_empty() {
            return Ok(());
        }
        let committed = self.sink.commit(InboundBatch {
            messages,
            buffered: batch.iter().map(buffered).collect(),
            history: history.clone(),
        });
        committed.await.map_err(|error| {
            tracing::warn!(%error, "messages not committed; WhatsApp will deliver them again");
            anyhow::Error::new(error)
        })?;
        self.history.kept(history);
        Ok(())
    }
}

impl CommitFirst {
    /// Converts a batch, and waits for a while where the database is away: what is read without it
    /// stays unreadable.
    async fn patiently_converted(
        &self,
        client: &Client,
        batch: &[LibraryMessage],
    ) -> Vec<InboundMessage> {
        for _ in 1..LOOKS {
            let (messages, failed) = converted(client, &self.secrets, batch).await;
            let Some(error) = failed else {
                return messages;
            };
            tracing::debug!(%error, "messages wait for what they refer to");
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        let (messages, failed) = converted(client, &self.secrets, batch).await;
        if let Some(error) = failed {
            tracing::warn!(%error, "messages are taken without what they refer to");
        }
        messages
    }
}

/// The key under which the library buffers a message (its commit batcher makes the same texts).
fn buffered(message: &LibraryMessage) -> BufferedMessage {
    BufferedMessage {
        chat: message.info.source.chat.to_string(),
        sender: message.info.source.sender.to_string(),
        id: message.info.id.clone(),
    }
}

/// Converts a batch and adds what the session knows: other addresses, and what is sealed.
async fn converted(
    client: &Client,
    secrets: &RecentSecrets,
    batch: &[LibraryMessage],
) -> (Vec<InboundMessage>, Option<StoreError>) {
    let own = own(client);
    let converted = batch
        .iter()
        .filter_map(|item| convert::message(&item.info, &item.message, &own));
    completed(client, &own, secrets, converted).await
}

/// Adds what the session knows: other addresses, and what is sealed; with the last failure to look
/// up what something was sealed with, which is left sealed.
pub(super) async fn completed(
    client: &Client,
    own: &Own,
    secrets: &RecentSecrets,
    converted: impl Iterator<Item = Converted>,
) -> (Vec<InboundMessage>, Option<StoreError>) {
    let mut failed = None;
    let mut addresses = Addresses::new(client);
    let mut messages = Vec::with_capacity(converted.size_hint().0);
    for one in converted {
        let Converted {
            mut message,
            sealed,
        } = one;
        addresses.complete(&mut message).await;
        if let Some(sealed) = sealed {
            let opened = addons::open(client, own, secrets, &mut message, &sealed).await;
            failed = opened.err().or(failed);
        }
        messages.push(message);
    }
    (messages, failed)
}

/// The account's addresses as the session knows them now.
pub(super) fn own(client: &Client) -> Own {
    Own {
        phone: client.pn().as_ref().and_then(model_jid),
        lid: client.lid().as_ref().and_then(model_jid),
    }
}

/// People's other addresses, each looked up once.
pub(super) struct Addresses<'c> {
    client: &'c Client,
    known: HashMap<Jid, Option<Jid>>,
}

impl<'c> Addresses<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self {
            client,
            known: HashMap::new(),
        }
    }

    pub(super) async fn other(&mut self, of: &Jid) -> Option<Jid> {
        if let Some(known) = self.known.get(of) {
            return known.clone();
        }
        let other = other_address(self.client, of).await;
        self.known.insert(of.clone(), other.clone());
        other
    }

    /// Adds the addresses that the message does not bear itself.
    pub(super) async fn complete(&mut self, message: &mut InboundMessage) {
        if message.chat_alias.is_none() {
            message.chat_alias = self.other(&message.chat).await;
        }
        match (&message.sender_jid, &message.sender_lid) {
            (Some(phone), None) => message.sender_lid = self.other(phone).await,
            (None, Some(lid)) => message.sender_jid = self.other(lid).await,
            _ => {}
        }
    }
}

/// A person's other address, where the session has learned it.
pub(super) async fn other_address(client: &Client, of: &Jid) -> Option<Jid> {
    if !of.kind().is_person() {
        return None;
    }
    // A failed look-up is like an unknown address: nothing here depends on it.
    let entry = client.get_lid_pn_entry(&library_jid(of)).await.ok()??;
    let other = match of.kind() {
        JidKind::Lid => format!("{}@s.whatsapp.net", entry.phone_number),
        _ => format!("{}@lid", entry.lid),
    };
    other.parse().ok()
}
