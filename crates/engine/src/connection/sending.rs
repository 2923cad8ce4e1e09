//! Sending, and waiting for WhatsApp's word.

use std::time::Duration;

use wagate_model::{Jid, JidKind};
use whatsapp_rust::error::ErrorChainExt;
use whatsapp_rust::{SendError, SendOptions};

use super::hook::{other_address, own};
use super::{Connection, Session, addons, posting};
use crate::acks::{Verdict, rejection};
use crate::convert::{self, library_jid, model_jid};
use crate::{Outgoing, OutgoingContent, RejectReason, SendFailure, Sent};

/// How long preparing may take: device lists, keys, encryption.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(45);
/// How long WhatsApp may take to acknowledge.
const ACK_TIMEOUT: Duration = Duration::from_secs(15);

impl Connection {
    /// Sends a message and waits until WhatsApp has acknowledged it, for a
    /// minute at most.
    ///
    /// The id is the caller's, reserved before the first attempt; sending again
    /// under the same id is safe after any failure.
    pub async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendFailure> {
        let sending = Box::pin(prepare_and_send(self.session(), outgoing));
        self.acknowledged(outgoing, sending).await
    }

    /// Posts a story, or deletes one, as [`Self::send`] does with a message.
    ///
    /// Those of `audience` see it whom the account's settings on the phone do not exclude.
    pub async fn send_status(
        &self,
        outgoing: &Outgoing,
        audience: &[Jid],
    ) -> Result<Sent, SendFailure> {
        let client = &self.session().client;
        let sending = Box::pin(posting::send_status(client, outgoing, audience));
        self.acknowledged(outgoing, sending).await
    }

    async fn acknowledged(
        &self,
        outgoing: &Outgoing,
        sending: impl Future<Output = Result<whatsapp_rust::Jid, SendError>>,
    ) -> Result<Sent, SendFailure> {
        let session = self.session();
        if !session.client.is_logged_in() {
            return Err(SendFailure::NotConnected);
        }
        let mut ack = session.acks.expect(posting::acknowledged_id(outgoing));
        let to = match tokio::time::timeout(PREPARE_TIMEOUT, sending).await {
            Ok(Ok(to)) => to,
            Ok(Err(error)) => return Err(failure(&error)),
            // It may have gone out at the last moment.
            Err(_) => return Err(SendFailure::Unconfirmed),
        };
        match tokio::time::timeout(ACK_TIMEOUT, ack.verdict()).await {
            Ok(Verdict::Accepted { timestamp_ms }) => {
                let chat = model_jid(&to).unwrap_or_else(|| outgoing.chat.clone());
                let mut chat_alias = other_address(&session.client, &chat).await;
                if chat_alias.is_none() && chat != outgoing.chat {
                    chat_alias = Some(outgoing.chat.clone());
                }
                Ok(Sent {
                    chat,
                    chat_alias,
                    timestamp_ms,
                })
            }
            Ok(Verdict::Rejected { code }) => Err(rejection(code)),
            Ok(Verdict::ConnectionLost) | Err(_) => Err(SendFailure::Unconfirmed),
        }
    }
}

/// What is to be kept of a message before it goes out, for later quotes and forwards of it:
/// its [`crate::InboundMessage::raw`]. Empty where nothing can be quoted or forwarded.
#[must_use]
pub fn raw_of(outgoing: &Outgoing) -> bytes::Bytes {
    let is_own = stands_alone(outgoing);
    let nobody = convert::Own {
        phone: None,
        lid: None,
    };
    is_own
        .then(|| convert::outgoing(outgoing, &nobody))
        .flatten()
        .map(|message| convert::raw(&message))
        .unwrap_or_default()
}

/// A plain text as [`raw_of`] would give it.
#[must_use]
pub fn raw_text(text: &str) -> bytes::Bytes {
    convert::raw(&convert::text_message(text))
}

async fn prepare_and_send(
    session: &Session,
    outgoing: &Outgoing,
) -> Result<whatsapp_rust::Jid, SendError> {
    if outgoing.chat.kind() == JidKind::Newsletter {
        return posting::send_to_channel(&session.client, outgoing).await;
    }
    let is_sendable = matches!(
        outgoing.chat.kind(),
        JidKind::User | JidKind::Lid | JidKind::Group
    );
    if !is_sendable {
        return Err(SendError::InvalidRequest("not a person or group".into()));
    }
    let own = own(&session.client);
    let message = match &outgoing.content {
        OutgoingContent::Vote { target, options } => {
            addons::vote(&session.client, &own, &outgoing.chat, target, options).await
        }
        OutgoingContent::Respond { target, response } => {
            let client = &session.client;
            addons::event_answer(client, &own, &outgoing.chat, target, *response).await
        }
        OutgoingContent::EditEvent { target, event } => {
            addons::event_edit(&session.client, &own, &outgoing.chat, target, event).await
        }
        _ => convert::outgoing(outgoing, &own),
    };
    let Some(message) = message else {
        return Err(SendError::InvalidRequest("cannot be built".into()));
    };
    addons::keep_secret(&session.client, &own, outgoing).await?;
    let mut options = SendOptions::default().with_message_id(outgoing.id.as_str());
    if let Some(seconds) = outgoing.expires_after_s.filter(|_| stands_alone(outgoing)) {
        options = options.with_ephemeral_expiration(seconds);
    }
    let to = library_jid(&outgoing.chat);
    let sent = session
        .client
        .send_message_with_options(to, message, options)
        .await?;
    Ok(sent.to)
}

/// Whether it is shown by itself; only such messages disappear, and can be quoted or forwarded.
const fn stands_alone(outgoing: &Outgoing) -> bool {
    !matches!(
        outgoing.content,
        OutgoingContent::Edit { .. }
            | OutgoingContent::EditEvent { .. }
            | OutgoingContent::Revoke { .. }
            | OutgoingContent::Reaction { .. }
            | OutgoingContent::Vote { .. }
            | OutgoingContent::Respond { .. }
            | OutgoingContent::Pin { .. }
            | OutgoingContent::Timer { .. }
    )
}

/// What a failure before the acknowledgement means.
fn failure(error: &SendError) -> SendFailure {
    if let Some(refused) = error.server_rejection() {
        return rejection(Some(refused.code));
    }
    match error {
        SendError::NotLoggedIn => SendFailure::NotConnected,
        SendError::InvalidRequest(_) => SendFailure::Permanent {
            code: None,
            reason: RejectReason::InvalidRequest,
        },
        SendError::Client(error) if error.is_transport_unavailable() => SendFailure::Transient {
            code: None,
            reason: RejectReason::ConnectionLost,
        },
        _ if error.is_timeout() => SendFailure::Transient {
            code: None,
            reason: RejectReason::ServerUnavailable,
        },
        _ => SendFailure::Transient {
            code: None,
            reason: RejectReason::Preparation,
        },
    }
}
