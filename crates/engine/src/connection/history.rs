//! The history that a phone sends after pairing.
//!
//! The library would acknowledge a part before it fetches it, and tell what it fetched without
//! saying whose part it was: a process that ended in between would lose it. So the library's
//! queue of parts is drained here. A part is handed to the sink with the batch of the message
//! that announced it, and fetched once that is committed. The pages that come of it name their
//! part, which is kept until its last page is stored.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use whatsapp_rust::anyhow;
use whatsapp_rust::async_channel;
use whatsapp_rust::http::HttpStatusError;
use whatsapp_rust::lid_pn_cache::LearningSource;
use whatsapp_rust::sync_task::MajorSyncTask;
use whatsapp_rust::types::events::{InboundMessage as LibraryMessage, LazyHistorySync};
use whatsapp_rust::wacore::history_sync::{
    HistorySyncError, HistorySyncResult, TcTokenCandidate,
    process_history_sync_bytes_with_record_visitor,
};
use whatsapp_rust::wacore::messages::DetachedHistorySyncNotification;
use whatsapp_rust::wacore::store::DeviceCommand;
use whatsapp_rust::wacore_binary::builder::NodeBuilder;
use whatsapp_rust::waproto::buffa::Message as _;
use whatsapp_rust::waproto::whatsapp::message::HistorySyncNotification;
use whatsapp_rust::{Client, Jid as LibraryJid};

use super::attempt::Attempt;
use super::hook::{Addresses, own};
use crate::convert::{Own, unpack_into};
use crate::mailbox::Mailbox;
use crate::{EngineEvent, HistoryChunk, HistoryPart};

/// Parts that are read at the same time, of all sessions: each costs a thread, its compressed
/// bytes and the memory of its largest chat.
const READ_AT_ONCE: usize = 2;
/// How often a part is fetched before it is left for the session's next start.
const MAX_ATTEMPTS: u32 = 8;
/// The wait after the first attempt; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// How often there is a look whether the session is connected.
const LOOK: Duration = Duration::from_millis(500);

/// Whose turn it is to read history; of all sessions of a process.
#[derive(Clone)]
pub(crate) struct HistoryTurns(Arc<Semaphore>);

impl Default for HistoryTurns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READ_AT_ONCE)))
    }
}

impl HistoryTurns {
    async fn turn(&self) -> SemaphorePermit<'_> {
        let turn = self.0.acquire().await;
        turn.expect("the semaphore is never closed")
    }
}

/// Where parts go that are to be read.
#[derive(Clone)]
pub(super) struct HistoryParts(mpsc::UnboundedSender<HistoryPart>);

impl HistoryParts {
    pub(super) fn add(&self, part: HistoryPart) {
        // Without a reader the session is over, and the part is kept for the next one.
        let _ = self.0.send(part);
    }
}

/// The two ends of a session's line of parts.
pub(super) fn parts() -> (HistoryParts, mpsc::UnboundedReceiver<HistoryPart>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (HistoryParts(sender), receiver)
}

/// Parts that were announced and not committed yet.
#[derive(Default)]
pub(super) struct HistoryIntake {
    line: OnceLock<(async_channel::Receiver<MajorSyncTask>, HistoryParts)>,
    announced: Mutex<HashMap<String, HistoryPart>>,
}

impl HistoryIntake {
    /// Where the library puts what was announced, and where it goes once it is kept.
    pub(super) fn attach(
        &self,
        announced: async_channel::Receiver<MajorSyncTask>,
        parts: HistoryParts,
    ) {
        // It is made for one client, which is built once.
        let _ = self.line.set((announced, parts));
    }

    fn announced(&self) -> MutexGuard<'_, HashMap<String, HistoryPart>> {
        self.announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The parts that the messages of a batch announce.
    ///
    /// The library queues a part before it hands on the message that announced it, so that
    /// what is of the batch is there by now.
    pub(super) fn announced_in(&self, batch: &[LibraryMessage]) -> Vec<HistoryPart> {
        let Some((queue, _)) = self.line.get() else {
            return Vec::new();
        };
        let mut announced = self.announced();
        // It queues nothing but history.
        while let Ok(task) = queue.try_recv() {
            if let MajorSyncTask::HistorySync {
                message_id,
                notification,
                ..
            } = task
            {
                let part = part_of(message_id, *notification);
                announced.insert(part.id.clone(), part);
            }
        }
        let ids = batch.iter().map(|message| &message.info.id);
        ids.filter_map(|id| announced.get(id)).cloned().collect()
    }

    /// Has parts read that the sink has kept.
    pub(super) fn kept(&self, parts: Vec<HistoryPart>) {
        let Some((_, line)) = self.line.get() else {
            return;
        };
        for part in parts {
            self.announced().remove(&part.id);
            line.add(part);
        }
    }
}

fn part_of(id: String, announced: DetachedHistorySyncNotification) -> HistoryPart {
    let mut notice = announced.notification;
    notice.initial_hist_bootstrap_inline_payload =
        announced.inline_payload.map(|payload| payload.to_vec());
    HistoryPart {
        id,
        notice: notice.encode_to_vec().into(),
    }
}

/// Reads the parts of one session, one after the other. It must not keep the client alive,
/// whose task it is.
pub(super) struct Reader {
    pub(super) client: Weak<Client>,
    pub(super) attempt: Arc<Attempt>,
    pub(super) mailbox: Mailbox,
    pub(super) turns: HistoryTurns,
}

impl Reader {
    pub(super) async fn run(&self, mut parts: mpsc::UnboundedReceiver<HistoryPart>) {
        while let Some(part) = parts.recv().await {
            self.read(part).await;
        }
    }

    async fn read(&self, part: HistoryPart) {
        let Ok(mut notice) = HistorySyncNotification::decode_from_slice(&part.notice) else {
            tracing::error!("an announcement of history cannot be read");
            return self.give_up(part.id, None);
        };
        let mut wait = FIRST_WAIT;
        for attempt in 1..=MAX_ATTEMPTS {
            if notice.initial_hist_bootstrap_inline_payload.is_none() {
                self.connected().await;
            }
            let turn = self.turns.turn().await;
            let Some(client) = self.client.upgrade() else {
                return;
            };
            match fetch(&client, &mut notice).await {
                Ok(compressed) => {
                    acknowledge(&client, &part.id).await;
                    return self.tell(&client, part.id, &notice, compressed).await;
                }
                Err(error) => {
                    metrics::counter!("wagate_engine_history_failed_total").increment(1);
                    tracing::debug!(error = %error, attempt, "history could not be fetched");
                    if attempt == MAX_ATTEMPTS && is_gone(&error) {
                        metrics::counter!("wagate_engine_history_lost_total").increment(1);
                        tracing::warn!("WhatsApp does not have a part of the history any more");
                        return self.give_up(part.id, notice.progress);
                    }
                }
            }
            drop((client, turn));
            tokio::time::sleep(wait).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
        tracing::warn!(
            "a part of the history cannot be fetched; it is tried again when the session is \
             opened next"
        );
    }

    async fn connected(&self) {
        while !self.attempt.is_connected() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// An empty last page: nothing can be read of the part, now or later.
    fn give_up(&self, part: String, progress: Option<u32>) {
        self.mailbox.tell(EngineEvent::History(HistoryChunk {
            part,
            // Behind whatever was read of it before.
            index: u32::MAX,
            progress,
            is_last: true,
            ..HistoryChunk::default()
        }));
    }

    /// Lets the library know what is for it, and tells the rest page by page.
    async fn tell(
        &self,
        client: &Client,
        part: String,
        notice: &HistorySyncNotification,
        compressed: Bytes,
    ) {
        let me = own(client);
        let own_user = client.pn().map(|jid| jid.user.to_string());
        let known =
            tokio::task::spawn_blocking(move || known_to_all(compressed, own_user.as_deref()))
                .await;
        let known = match known {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                tracing::error!(error = %error, "history cannot be read");
                return self.give_up(part, notice.progress);
            }
            Err(_) => {
                tracing::error!("reading history failed");
                return self.give_up(part, notice.progress);
            }
        };
        let Some(history) = self.learn(client, known, notice).await else {
            return self.give_up(part, notice.progress);
        };
        let (sender, mut pages) = mpsc::channel(1);
        let unpacking = tokio::task::spawn_blocking(move || {
            unpack(&history, &me, &part, &sender);
        });
        while let Some(mut page) = pages.recv().await {
            complete(client, &mut page).await;
            self.mailbox.wait_for_calm().await;
            self.mailbox.tell(EngineEvent::History(page));
        }
        if unpacking.await.is_err() {
            // The part is kept: a later version may be able to read it.
            tracing::error!("unpacking history failed");
        }
    }

    /// What the library takes from a history for itself: the account's name, the secret that
    /// contacts' tokens are made with, tokens, and who is behind which address.
    async fn learn(
        &self,
        client: &Client,
        known: HistorySyncResult,
        notice: &HistorySyncNotification,
    ) -> Option<LazyHistorySync> {
        let storage = client.persistence_manager();
        if let Some(name) = known.own_pushname
            && storage.get_device_snapshot().push_name != name
        {
            let told = EngineEvent::OwnPushName(name.replace('\0', ""));
            storage
                .process_command(DeviceCommand::SetPushName(name))
                .await;
            self.mailbox.tell(told);
            // It is shown with the name, and could not be before.
            if let Err(error) = client.presence().set_available().await {
                tracing::debug!(error = %error, "presence was not sent");
            }
        }
        if let Some(salt) = known.nct_salt {
            let salt = DeviceCommand::SetNctSaltFromHistorySync(salt);
            storage.process_command(salt).await;
        }
        for candidate in known.tc_token_candidates {
            if let Err(error) = keep_token(client, candidate).await {
                tracing::debug!(error = %error, "a contact's token was not stored");
            }
        }
        let pairs = known.lid_mappings.into_iter();
        let pairs: Vec<_> = pairs.map(|pair| (pair.lid, pair.phone_number)).collect();
        if !pairs.is_empty()
            && let Err(error) = learn_addresses(client, pairs).await
        {
            tracing::debug!(error = %error, "addresses of a history were not stored");
        }
        Some(LazyHistorySync::new(
            known.compressed_bytes?,
            known.decompressed_size,
            notice.sync_type.map_or(0, |kind| kind as i32),
            notice.chunk_order,
            notice.progress,
        ))
    }
}

/// Adds other addresses, as live messages have them: by those a message is found again that is
/// edited later, or comes live as well.
async fn complete(client: &Client, page: &mut HistoryChunk) {
    let mut addresses = Addresses::new(client);
    for chat in &mut page.chats {
        if chat.alias.is_none() {
            chat.alias = addresses.other(&chat.chat).await;
        }
        for message in &mut chat.messages {
            addresses.complete(message).await;
        }
    }
}

/// The first reading: what is not about messages, and how large it all is.
fn known_to_all(
    compressed: Bytes,
    own_user: Option<&str>,
) -> Result<HistorySyncResult, HistorySyncError> {
    // Secrets of old messages are not wanted; see `caches.rs`.
    process_history_sync_bytes_with_record_visitor(compressed, own_user, true, |_| {})
}

fn unpack(history: &LazyHistorySync, own: &Own, part: &str, pages: &mpsc::Sender<HistoryChunk>) {
    unpack_into(history, own, &|page| {
        let page = HistoryChunk {
            part: part.to_owned(),
            ..page
        };
        pages.blocking_send(page).is_ok()
    });
}

/// The compressed part: from its announcement, or from the media hosts.
async fn fetch(
    client: &Client,
    notice: &mut HistorySyncNotification,
) -> Result<Bytes, anyhow::Error> {
    match notice.initial_hist_bootstrap_inline_payload.take() {
        Some(payload) => Ok(payload.into()),
        None => Ok(download(client, notice).await?.into()),
    }
}

/// Whether the media hosts do not have it, rather than cannot be reached.
fn is_gone(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| {
        let status = cause.downcast_ref::<HttpStatusError>();
        status.is_some_and(|error| matches!(error.status, 403 | 404 | 410))
    })
}

/// Behind a pointer, as in [`super::chats`]: the library's future is nested too deeply.
#[inline(never)]
fn download<'a>(
    client: &'a Client,
    notice: &'a HistorySyncNotification,
) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, anyhow::Error>> + Send + 'a>> {
    Box::pin(client.download(notice))
}

/// As [`download`].
#[inline(never)]
fn learn_addresses(
    client: &Client,
    pairs: Vec<(String, String)>,
) -> Pin<Box<dyn Future<Output = Result<usize, anyhow::Error>> + Send + '_>> {
    Box::pin(client.add_lid_pn_mappings(pairs, LearningSource::Other))
}

/// Tells the phone that a part has arrived (whatsapp-rust `send_protocol_receipt`).
async fn acknowledge(client: &Client, id: &str) {
    let Some(own) = client.pn() else {
        return;
    };
    let receipt = NodeBuilder::new("receipt")
        .attr("id", id)
        .attr("type", "hist_sync")
        .attr("to", own.to_non_ad_string())
        .build();
    // The phone sends nothing again for want of it.
    if let Err(error) = client.send_node(receipt).await {
        tracing::debug!(error = %error, "a part of the history was not acknowledged to the phone");
    }
}

/// Keeps the token by which a contact knows the account (whatsapp-rust
/// `store_tc_token_candidate`): under the contact's LID where that is known.
async fn keep_token(client: &Client, candidate: TcTokenCandidate) -> Result<(), anyhow::Error> {
    let contact: LibraryJid = candidate.id.parse()?;
    let entry = client.get_lid_pn_entry(&contact).await.ok().flatten();
    let user = entry.map_or_else(|| contact.user.to_string(), |entry| entry.lid.to_string());
    let seconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let backend = client.persistence_manager().backend();
    let received_at = seconds(candidate.tc_token_timestamp);
    backend
        .store_received_tc_token(&user, &candidate.tc_token, received_at)
        .await?;
    if let Some(sent_at) = candidate.tc_token_sender_timestamp {
        let sent_at = seconds(sent_at);
        backend
            .touch_tc_token_sender_timestamp(&user, sent_at)
            .await?;
    }
    Ok(())
}
