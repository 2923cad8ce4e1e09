//! Events, choices, pins and live locations: what a phone does to messages of its log.

use serde_json::Value;
use wacore::event::{decrypt_event_response_with_secret, encrypt_event_response_with_secret};
use wacore::message_edit::{MessageEditContext, decrypt_secret_encrypted};
use wacore::secret_enc_addon::{AddonContext, ModificationType, encrypt_addon};
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::secret_encrypted_message::SecretEncType;

use super::mail::SendReply;
use super::receipts::unknown_message;
use super::run::Actor;
use crate::phone::content::{
    Action, Content, Described, answer_details, build, describe, event_message, innermost, keep,
    live_location, pin, sealed_answer, sealed_edit, sealed_message, selection,
};
use crate::phone::error::PhoneError;

/// A message of the log, as something about it needs it.
struct Logged {
    message: wa::Message,
    /// Who sent it, by LID where known.
    author: Jid,
    from_me: bool,
}

impl Logged {
    fn secret(&self) -> Option<&[u8]> {
        let context = self.message.message_context_info.as_option()?;
        context.message_secret.as_deref()
    }
}

impl Actor {
    pub(super) async fn act(&mut self, id: &str, action: Action, reply: SendReply) {
        let made = self.acted(id, action).await;
        match made {
            // A live location goes on under its own id.
            Ok((to, message, Some(id))) => self.post_as(id, to, message, Some(reply)).await,
            Ok((to, message, None)) => self.post(to, message, Some(reply)).await,
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    async fn acted(
        &mut self,
        id: &str,
        action: Action,
    ) -> Result<(Jid, wa::Message, Option<String>), PhoneError> {
        let now_ms = self.server.clock().now_ms();
        let logged = self.logged(id)?;
        let made = match action {
            Action::Pin(seconds) => self.about(id, false, |key| pin(key, seconds, now_ms)).await,
            Action::Keep(is_kept) => {
                self.about(id, false, |key| keep(key, is_kept, now_ms))
                    .await
            }
            Action::Select(choice) => {
                let context = wa::ContextInfo {
                    stanza_id: Some(id.to_owned()),
                    participant: Some(logged.author.to_string()),
                    ..Default::default()
                };
                let chosen = selection(innermost(&logged.message), &choice, context);
                let chosen = chosen.ok_or_else(|| {
                    PhoneError::Conflict("the message offers no such choice".to_owned())
                })?;
                self.about(id, false, |_| chosen).await
            }
            Action::Respond(response, guests) => {
                let answer = wa::message::EventResponseMessage {
                    response: Some(response),
                    timestamp_ms: Some(now_ms),
                    extra_guest_count: (guests > 0).then_some(guests),
                };
                let own = self.shared.lid.to_non_ad().to_string();
                let author = logged.author.to_string();
                let secret = logged.secret().ok_or_else(no_secret)?;
                let sealed = encrypt_event_response_with_secret(&answer, secret, id, &author, &own)
                    .map_err(|_| no_secret())?;
                self.about(id, false, |key| sealed_answer(key, sealed))
                    .await
            }
            Action::Move {
                latitude,
                longitude,
            } => {
                let live = innermost(&logged.message).live_location_message.as_option();
                let live = live.filter(|_| logged.from_me).ok_or_else(|| {
                    PhoneError::Conflict("only an own live location can move".to_owned())
                })?;
                let caption = live.caption.clone();
                // Times grow, which is all that receivers look for in the number.
                let moved = live_location(latitude, longitude, caption.as_deref(), now_ms);
                let (to, message) = self.about(id, true, |_| moved).await?;
                return Ok((to, message, Some(id.to_owned())));
            }
            Action::EditSealed(text) => {
                let content = build(&Content::Text(text), None, Vec::new());
                self.sealed(id, &logged, content, ModificationType::MessageEdit)
                    .await
            }
            Action::EditEvent(event) => {
                let content = event_message(&event, None);
                self.sealed(id, &logged, content, ModificationType::EventEdit)
                    .await
            }
        };
        made.map(|(to, message)| (to, message, None))
    }

    /// A change of an own message, encrypted with that message's secret.
    async fn sealed(
        &mut self,
        id: &str,
        logged: &Logged,
        changed: wa::Message,
        kind: ModificationType,
    ) -> Result<(Jid, wa::Message), PhoneError> {
        let now_ms = self.server.clock().now_ms();
        let own = self.shared.lid.to_non_ad().to_string();
        let secret = logged.secret().ok_or_else(no_secret)?.to_vec();
        let context = AddonContext {
            stanza_id: id,
            parent_msg_original_sender: &own,
            modification_sender: &own,
            modification_type: kind,
        };
        let mut failed = false;
        let made = self
            .about(id, true, |key| {
                let plain = sealed_edit(key.clone(), changed, now_ms);
                let plain = waproto::codec::message_to_vec(&plain);
                if let Ok(sealed) = encrypt_addon(&plain, &secret, &context) {
                    sealed_message(key, kind, sealed)
                } else {
                    failed = true;
                    wa::Message::default()
                }
            })
            .await;
        if failed { Err(no_secret()) } else { made }
    }

    fn logged(&self, id: &str) -> Result<Logged, PhoneError> {
        let log = self.shared.log();
        let entry = log.get(id).ok_or_else(|| unknown_message(id))?;
        let message = waproto::codec::message_decode(&entry.encoded)
            .map_err(|_| PhoneError::internal("a stored message is damaged"))?;
        let author: Jid = entry
            .message
            .sender_jid
            .parse()
            .map_err(|_| PhoneError::internal("a stored sender is not a JID"))?;
        let author = self.contacts.lid_of(&author).unwrap_or(author);
        Ok(Logged {
            message,
            author: author.to_non_ad(),
            from_me: entry.message.from_me,
        })
    }

    /// Adds what is encrypted with the secret of an event in the log: an answer, or a change.
    pub(super) fn add_sealed(
        &self,
        described: &mut Described,
        sender: &Jid,
        message: &wa::Message,
    ) {
        if let Some(details) = self.read_answer(sender, message) {
            described.details = Some(details);
        }
        if let Some(changed) = self.read_event_edit(sender, message) {
            described.body = changed.body;
            described.details = changed.details;
        }
    }

    /// A change of an event by its author; none of anybody else's, as on official clients.
    fn read_event_edit(&self, editor: &Jid, message: &wa::Message) -> Option<Described> {
        let sealed = innermost(message).secret_encrypted_message.as_option()?;
        let kind = sealed.secret_enc_type?;
        let key = sealed.target_message_key.as_option()?;
        let id = key.id.as_deref()?;
        let event = self.logged(id).ok()?;
        let is_event = innermost(&event.message).event_message.is_set();
        let (authors, editors) = (self.both(&event.author), self.both(editor));
        let is_authors = authors.iter().any(|author| editors.contains(author));
        if kind != SecretEncType::EVENT_EDIT || !is_event || !is_authors {
            return None;
        }
        let secret = event.secret()?;
        let (payload, iv) = (sealed.enc_payload.as_deref()?, sealed.enc_iv.as_deref()?);
        let opened = authors.iter().find_map(|author| {
            let context = MessageEditContext {
                original_msg_id: id,
                original_sender_jid: author,
                editor_jid: author,
            };
            let kind = ModificationType::EventEdit;
            decrypt_secret_encrypted(payload, iv, secret, kind, &context).ok()
        })?;
        let edit = opened.protocol_message.as_option()?;
        let names_it = edit.key.as_option()?.id.as_deref() == Some(id);
        let changed = edit.edited_message.as_option().filter(|_| names_it)?;
        changed.event_message.is_set().then(|| describe(changed))?
    }

    fn read_answer(&self, responder: &Jid, message: &wa::Message) -> Option<Value> {
        let answer = innermost(message).enc_event_response_message.as_option()?;
        let key = answer.event_creation_message_key.as_option()?;
        let event = self.logged(key.id.as_deref()?).ok()?;
        let secret = event.secret()?;
        let (payload, iv) = (answer.enc_payload.as_deref()?, answer.enc_iv.as_deref()?);
        // Either of two addresses may have been used of both people.
        for author in self.both(&event.author) {
            for responder in self.both(responder) {
                let (id, author, responder) = (key.id.as_deref()?, &author, &responder);
                let opened =
                    decrypt_event_response_with_secret(payload, iv, secret, id, author, responder);
                if let Ok(answer) = opened {
                    return Some(answer_details(&answer));
                }
            }
        }
        None
    }

    /// The addresses of a person.
    fn both(&self, person: &Jid) -> Vec<String> {
        let person = person.to_non_ad();
        let mut both = vec![self.contacts.shown(&person).to_string()];
        both.extend(self.contacts.lid_of(&person).map(|lid| lid.to_string()));
        both
    }
}

fn no_secret() -> PhoneError {
    PhoneError::Conflict("the message has no secret".to_owned())
}
