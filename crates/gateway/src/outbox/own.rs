//! A message of this account, in the form in which it would come in from another device.
//!
//! Rows and events of what goes out are made from that form by the same code as of what
//! comes in, so that both look alike.

use bytes::Bytes;
use wagate_engine::{
    Content, InboundMessage, InteractiveReply, Media, MediaDetails, MediaSource, MessageRef,
    Outgoing, OutgoingContent, OutgoingFile, Quoted, QuotedMessage, Target, Uploaded, VoteChoice,
    content_of, poll_option_hash, raw_edited, raw_of, raw_text, reply_kind,
};
use wagate_model::{Attachment, Jid, MediaMeta, SendRequest, SendTask, TargetMessage};
use wagate_store::{Account, Owned, Result, StoredMessage};

use super::order::{Album, Order};
use crate::inbound::raw_of as stored_raw;
use crate::targets::accepted;

/// The most of a quoted text that an event bears.
const MAX_QUOTED_BYTES: usize = 4_096;

/// Who sends, and when.
pub(super) struct Author<'a> {
    pub(super) account: Option<&'a Account>,
    pub(super) at_ms: i64,
}

/// The message that an accepted task is about.
pub(super) async fn target_row(
    owned: &mut Owned<'_>,
    task: &SendTask,
) -> Result<Option<StoredMessage>> {
    match task.target() {
        Some(target) => accepted(owned, target, prefers_own(task)).await,
        None => Ok(None),
    }
}

/// Whether a task that does not say whose message it is about means the account's own first.
pub(super) const fn prefers_own(task: &SendTask) -> bool {
    matches!(
        task,
        SendTask::Edit { .. } | SendTask::EditEvent { .. } | SendTask::Revoke { .. }
    )
}

/// The message with all that rows and events are made from.
pub(super) async fn own_message(
    owned: &mut Owned<'_>,
    order: &Order,
    id: &str,
    chat: &Jid,
    author: Author<'_>,
    uploaded: Option<&Uploaded>,
) -> Result<InboundMessage> {
    let target = target_row(owned, &order.task).await?;
    let quoted = match answered(&order.task) {
        Some(id) => quoted_row(owned, chat, id).await?.map(|row| (id, row)),
        None => None,
    };
    let about = AboutOthers {
        target: target.as_ref(),
        quoted: None,
    };
    let outgoing = outgoing(order, id, chat, about, uploaded);
    let account = author.account;
    Ok(InboundMessage {
        id: id.to_owned(),
        chat: chat.clone(),
        chat_alias: None,
        sender_jid: account.and_then(|account| account.jid.parse().ok()),
        sender_lid: account.and_then(|account| account.lid.as_deref()?.parse().ok()),
        from_me: true,
        push_name: account.and_then(|account| account.push_name.clone()),
        business_name: None,
        timestamp_ms: author.at_ms,
        content: content(order, target.as_ref(), uploaded),
        mentions: order
            .task
            .request()
            .map(SendRequest::mentioned)
            .unwrap_or_default(),
        quoted: quoted.map(|(id, row)| quoted_message(id, &row)),
        is_forwarded: matches!(order.task, SendTask::Forward { .. }),
        is_view_once: order
            .attachment
            .as_ref()
            .is_some_and(|file| file.is_view_once),
        expires_after_s: order.expires_after_s,
        is_offline: false,
        raw: raw_of(&outgoing),
    })
}

/// The id of the message that one answers.
fn answered(task: &SendTask) -> Option<&String> {
    match task {
        SendTask::Select { target, .. } => Some(&target.id),
        task => task.request()?.reply_to.as_ref(),
    }
}

/// The messages that one is about.
pub(super) struct AboutOthers<'a> {
    pub(super) target: Option<&'a StoredMessage>,
    pub(super) quoted: Option<Quoted>,
}

/// The message as the engine takes it.
pub(super) fn outgoing(
    order: &Order,
    id: &str,
    chat: &Jid,
    about: AboutOthers<'_>,
    uploaded: Option<&Uploaded>,
) -> Outgoing {
    let request = order.task.request();
    Outgoing {
        id: id.to_owned(),
        chat: chat.clone(),
        content: outgoing_content(order, about.target, uploaded),
        mentions: request.map(SendRequest::mentioned).unwrap_or_default(),
        quoted: about.quoted,
        preview: order.preview.clone(),
        expires_after_s: order.expires_after_s,
    }
}

fn outgoing_content(
    order: &Order,
    stored: Option<&StoredMessage>,
    uploaded: Option<&Uploaded>,
) -> OutgoingContent {
    if let Some(attachment) = &order.attachment {
        let album = match &order.album {
            Some(Album::Belongs { to }) => Some(to.clone()),
            _ => None,
        };
        return OutgoingContent::File(Box::new(OutgoingFile {
            attachment: attachment.clone(),
            album,
            uploaded: uploaded.cloned(),
        }));
    }
    if let Some(Album::Begins { images, videos, .. }) = order.album {
        return OutgoingContent::Album { images, videos };
    }
    match &order.task {
        SendTask::Send(request) => sent_content(request, order.secret),
        SendTask::Status(post) => OutgoingContent::Status(post.clone()),
        SendTask::Edit { target, text } => OutgoingContent::Edit {
            target: engine_target(target, stored),
            text: text.clone(),
        },
        SendTask::EditEvent { target, event } => OutgoingContent::EditEvent {
            target: engine_target(target, stored),
            event: event.clone(),
        },
        SendTask::Revoke { target } => OutgoingContent::Revoke {
            target: engine_target(target, stored),
        },
        SendTask::React { target, emoji } => OutgoingContent::Reaction {
            target: engine_target(target, stored),
            emoji: emoji.clone(),
        },
        SendTask::Vote { target, options } => OutgoingContent::Vote {
            target: engine_target(target, stored),
            options: options.clone(),
        },
        SendTask::Pin { target, seconds } => OutgoingContent::Pin {
            target: engine_target(target, stored),
            seconds: seconds.and_then(|seconds| u32::try_from(seconds).ok()),
        },
        SendTask::Respond { target, response } => OutgoingContent::Respond {
            target: engine_target(target, stored),
            response: *response,
        },
        SendTask::Select {
            target,
            selected_id,
        } => {
            let Target { id, sender } = engine_target(target, stored);
            OutgoingContent::Select {
                offered: Quoted {
                    id,
                    sender,
                    raw: stored
                        .and_then(|stored| stored.content.as_ref())
                        .and_then(stored_raw),
                    body: stored.and_then(|stored| stored.body.clone()),
                },
                id: selected_id.clone(),
            }
        }
        SendTask::SetTimer { seconds, .. } => OutgoingContent::Timer { seconds: *seconds },
        SendTask::Forward { .. } => OutgoingContent::Forward {
            raw: forwarded(stored),
        },
    }
}

fn sent_content(request: &SendRequest, secret: [u8; 32]) -> OutgoingContent {
    if let Some(poll) = request.poll() {
        return OutgoingContent::Poll { poll, secret };
    }
    if let Some(event) = request.event() {
        return OutgoingContent::Event { event, secret };
    }
    if let Some(offer) = request.offer() {
        return OutgoingContent::Offer(offer);
    }
    if let Some(place) = request.location() {
        return OutgoingContent::Location(place);
    }
    if let Some(card) = request.card() {
        return OutgoingContent::Contact(card);
    }
    OutgoingContent::Text(request.text.clone().unwrap_or_default())
}

/// What is forwarded: the content as it came, or the text where only that was kept.
fn forwarded(stored: Option<&StoredMessage>) -> Bytes {
    stored.and_then(present_raw).unwrap_or_else(|| {
        let text = stored.and_then(|stored| stored.body.as_deref());
        raw_text(text.unwrap_or_default())
    })
}

/// A stored message's content as it came, with the text that it has now; none where only the text
/// was kept.
pub(super) fn present_raw(stored: &StoredMessage) -> Option<Bytes> {
    let raw = stored_raw(stored.content.as_ref()?)?;
    Some(match &stored.body {
        Some(text) if stored.is_edited => raw_edited(&raw, text),
        _ => raw,
    })
}

/// Who sent a stored message, by LID where known.
fn sender_of(stored: &StoredMessage) -> Option<Jid> {
    let address = stored.sender_lid.as_ref().or(stored.sender_jid.as_ref());
    address.and_then(|address| address.parse().ok())
}

/// Names the message for the engine, which knows the account's own by having no sender.
fn engine_target(target: &TargetMessage, stored: Option<&StoredMessage>) -> Target {
    let sender = match stored {
        Some(stored) if stored.is_from_me => None,
        Some(stored) => {
            sender_of(stored)
                .or_else(|| target.sender.clone())
                // Between two people the other one sent it.
                .or_else(|| Some(target.chat.clone()))
        }
        None => target.sender.clone(),
    };
    Target {
        id: target.id.clone(),
        sender,
    }
}

fn content(order: &Order, stored: Option<&StoredMessage>, uploaded: Option<&Uploaded>) -> Content {
    if let Some(attachment) = &order.attachment {
        return Content::Media(media_of(attachment, uploaded));
    }
    if matches!(order.album, Some(Album::Begins { .. })) {
        return Content::System {
            kind: "album_message",
        };
    }
    let reference = |target: &TargetMessage| MessageRef {
        id: target.id.clone(),
        sender: target.sender.clone().or_else(|| stored.and_then(sender_of)),
        from_me: stored.map(|stored| stored.is_from_me),
    };
    match &order.task {
        SendTask::Send(request) => own_content(request),
        SendTask::Status(post) => Content::Text {
            body: post.text.clone(),
        },
        SendTask::Edit { target, text } => Content::Edit {
            target: reference(target),
            content: Box::new(Content::Text { body: text.clone() }),
        },
        SendTask::EditEvent { target, event } => Content::Edit {
            target: reference(target),
            content: Box::new(Content::Event(event.clone())),
        },
        SendTask::Revoke { target } => Content::Revoke {
            target: reference(target),
        },
        SendTask::React { target, emoji } => Content::Reaction {
            target: reference(target),
            emoji: emoji.clone(),
        },
        SendTask::Vote { target, options } => Content::PollVote {
            target: reference(target),
            choice: VoteChoice::Hashes(
                options
                    .iter()
                    .map(|option| poll_option_hash(option))
                    .collect(),
            ),
        },
        SendTask::Pin { target, seconds } => Content::Pin {
            target: reference(target),
            seconds: seconds.and_then(|seconds| u32::try_from(seconds).ok()),
        },
        SendTask::Respond { target, response } => Content::EventResponse {
            target: reference(target),
            response: Some(*response),
        },
        SendTask::Select {
            target,
            selected_id,
        } => Content::InteractiveReply(selection(&target.id, selected_id, stored)),
        SendTask::SetTimer { seconds, .. } => Content::Timer { seconds: *seconds },
        SendTask::Forward { .. } => content_of(&forwarded(stored)).unwrap_or_else(|| {
            let body = stored.and_then(|stored| stored.body.clone());
            Content::Text {
                body: body.unwrap_or_default(),
            }
        }),
    }
}

/// What is chosen of a stored message's choices.
fn selection(target: &str, id: &str, stored: Option<&StoredMessage>) -> InteractiveReply {
    let raw = stored.and_then(|stored| stored.content.as_ref());
    let offered = raw.and_then(stored_raw);
    let choices = match offered.as_deref().and_then(content_of) {
        Some(Content::Offer { choices, .. }) => choices,
        _ => Vec::new(),
    };
    let chosen = choices.into_iter().find(|choice| choice.id == id);
    InteractiveReply {
        kind: offered.as_deref().map_or("flow", reply_kind),
        id: id.to_owned(),
        title: chosen.map(|choice| choice.title),
        target_id: Some(target.to_owned()),
    }
}

fn own_content(request: &SendRequest) -> Content {
    if let Some(event) = request.event() {
        return Content::Event(event);
    }
    if let Some(offer) = request.offer() {
        return Content::Offer {
            choices: offer.choices(),
            body: offer.text,
        };
    }
    if let Some(poll) = request.poll() {
        return Content::Poll(poll);
    }
    if let Some(place) = request.location() {
        return Content::Location {
            place,
            is_live: false,
        };
    }
    if let Some(card) = request.card() {
        return Content::Contacts(vec![card]);
    }
    Content::Text {
        body: request.text.clone().unwrap_or_default(),
    }
}

/// A file as it would come in; it can be fetched once it is at WhatsApp.
fn media_of(attachment: &Attachment, uploaded: Option<&Uploaded>) -> Media {
    Media {
        kind: attachment.kind,
        meta: MediaMeta {
            mimetype: Some(attachment.mimetype.clone()),
            filename: attachment.filename.clone(),
            size: i64::try_from(attachment.size).ok(),
            ..MediaMeta::default()
        },
        caption: attachment.caption.clone(),
        details: MediaDetails {
            width: attachment.width,
            height: attachment.height,
            seconds: attachment.seconds,
        },
        source: uploaded.map(|uploaded| MediaSource {
            direct_path: uploaded.direct_path.clone(),
            media_key: uploaded.media_key.map(Vec::from),
            sha256: uploaded.sha256.to_vec(),
            encrypted_sha256: uploaded.encrypted_sha256.map(Vec::from),
            size: uploaded.size,
            kind: attachment.kind,
        }),
    }
}

/// The message that is answered; nothing where it is no longer stored.
pub(super) async fn quoted_row(
    owned: &mut Owned<'_>,
    chat: &Jid,
    id: &str,
) -> Result<Option<StoredMessage>> {
    let (organization, session) = (owned.organization(), owned.session());
    match owned.chat(organization, session, chat.as_str()).await? {
        Some(chat) => owned.stored_message(chat.id, id, None).await,
        None => Ok(None),
    }
}

fn quoted_message(id: &str, row: &StoredMessage) -> QuotedMessage {
    let sender = row.sender_lid.as_deref().or(row.sender_jid.as_deref());
    QuotedMessage {
        id: id.to_owned(),
        sender: sender.and_then(|address| address.parse().ok()),
        from_me: Some(row.is_from_me),
        body: row.body.as_deref().map(cut),
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_QUOTED_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_its_protocol_form_is_forwarded_as_one_that_was() {
        let target = TargetMessage {
            chat: "15557654321@s.whatsapp.net".parse().unwrap(),
            id: "OLD".into(),
            sender: None,
        };
        let to: Jid = "15550001111@s.whatsapp.net".parse().unwrap();
        let order = Order::new(SendTask::Forward {
            target,
            to: to.clone(),
        });
        let stored = StoredMessage {
            id: 1,
            chat_id: 1,
            sender_key: "me".into(),
            is_from_me: true,
            is_deleted: false,
            is_edited: false,
            kind: "text".into(),
            body: Some("kept as text".into()),
            sender_jid: None,
            sender_lid: None,
            timestamp_ms: 1,
            status: None,
            content: None,
            details: wagate_model::MessageDetails::default(),
        };
        let about = AboutOthers {
            target: Some(&stored),
            quoted: None,
        };
        let outgoing = outgoing(&order, "NEW", &to, about, None);
        assert!(matches!(outgoing.content, OutgoingContent::Forward { .. }));
        // As it goes out, with the mark of what is forwarded.
        let content = content_of(&raw_of(&outgoing)).unwrap();
        assert_eq!(content.body(), Some("kept as text"));
    }

    #[test]
    fn a_quoted_text_is_cut_between_characters() {
        let text = format!("a{}", "ä".repeat(4_000));
        let quoted = cut(&text);
        assert_eq!(quoted.len(), 4_095);
        assert!(text.starts_with(&quoted));
        assert_eq!(cut("short"), "short");
    }
}
