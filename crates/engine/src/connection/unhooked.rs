//! Messages that never pass the hook: channel posts, and messages fetched again from the phone.
//!
//! They are completed like others, which takes look-ups; one task does it, so that they keep
//! their order.

use std::sync::Weak;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whatsapp_rust::Client;
use whatsapp_rust::types::events::MessageBatch;

use super::hook::{completed, own};
use super::secrets::RecentSecrets;
use crate::EngineEvent;
use crate::convert::{self, Converted};
use crate::mailbox::Mailbox;

/// The way to the task.
pub(super) struct Unhooked(mpsc::UnboundedSender<Vec<Converted>>);

impl Unhooked {
    pub(super) fn new(
        client: Weak<Client>,
        mailbox: Mailbox,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        let (sender, mut batches) = mpsc::unbounded_channel();
        tasks.spawn(async move {
            loop {
                let batch = tokio::select! {
                    () = cancel.cancelled() => return,
                    batch = batches.recv() => batch,
                };
                let (Some(batch), Some(client)) = (batch, client.upgrade()) else {
                    return;
                };
                tell(&client, batch, &mailbox).await;
            }
        });
        Self(sender)
    }

    pub(super) fn take(&self, client: &Client, batch: &MessageBatch) {
        let own = own(client);
        let converted: Vec<_> = batch
            .iter()
            .filter_map(|item| convert::message(&item.info, &item.message, &own))
            .collect();
        if !converted.is_empty() {
            // Without the task the session is over.
            let _ = self.0.send(converted);
        }
    }
}

async fn tell(client: &Client, batch: Vec<Converted>, mailbox: &Mailbox) {
    // Nothing that is sealed comes right behind what it refers to on these ways.
    let recent = RecentSecrets::default();
    let (messages, failed) = completed(client, &own(client), &recent, batch.into_iter()).await;
    if let Some(error) = failed {
        // They do not come again: what is known of them is better than nothing.
        tracing::warn!(%error, "messages are told without what they refer to");
    }
    mailbox.tell(EngineEvent::Messages(messages));
}
