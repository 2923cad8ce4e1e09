//! What WhatsApp forbids the account now: asked for once per connection and whenever a message
//! is refused for it, told whenever it changes.

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use whatsapp_rust::Client;

use super::Connection;
use super::graph::{self, operation};
use crate::mailbox::Mailbox;
use crate::{EngineEvent, convert};

/// Asks beside the connection's own tasks: nothing waits for it, and nothing depends on it.
pub(super) fn ask(client: Arc<Client>, mailbox: Mailbox, cancel: CancellationToken) {
    tokio::spawn(async move {
        tokio::select! {
            () = cancel.cancelled() => {}
            events = fetch(&client) => events.into_iter().for_each(|event| mailbox.tell(event)),
        }
    });
}

impl Connection {
    /// What WhatsApp forbids the account now, as news; what it does not say is left out.
    pub async fn restrictions(&self) -> Vec<EngineEvent> {
        fetch(&self.session().client).await
    }
}

async fn fetch(client: &Client) -> Vec<EngineEvent> {
    let operation = operation!(fetch_reachout_timelock);
    let field = "xwa2_fetch_account_reachout_timelock";
    let timelock = graph::ask(client, operation, &json!({}), field).await;
    let operation = operation!(fetch_new_chat_message_capping_info);
    let variables = json!({ "input": { "type": "INDIVIDUAL_NEW_CHAT_MSG" } });
    let field = "xwa2_message_capping_info";
    let cap = graph::ask(client, operation, &variables, field).await;
    let events = [
        timelock.map(|value| convert::reachout_timelock(&value)),
        cap.map(|value| convert::message_cap(&value)),
    ];
    let known = events.into_iter().filter_map(|event| match event {
        Ok(event) => event,
        // What it forbids shows in its answers to messages, too.
        Err(error) => {
            tracing::debug!(%error, "the account's restrictions are not known");
            None
        }
    });
    known.collect()
}
