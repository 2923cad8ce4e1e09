//! What a phone does when it is asked to.

use wacore::proto_helpers::MessageExt as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp as wa;

use super::bootstrap::{message_key, web_message};
use super::mail::{Command, SendReply, TypingState};
use super::receipts::unknown_message;
use super::run::Actor;
use crate::phone::content::{
    Content, Quoted, SendRequest, build, edit, in_album, reaction, revoke,
};
use crate::phone::error::PhoneError;

impl Actor {
    pub(super) async fn on_command(&mut self, command: Command) {
        match command {
            Command::Send { request, reply } => {
                let built = self.compose(&request).await;
                self.post_or_refuse(built, reply).await;
            }
            Command::React { id, emoji, reply } => {
                let now_ms = self.server.clock().now_ms();
                let built = self
                    .about(&id, false, |key| reaction(key, &emoji, now_ms))
                    .await;
                self.post_or_refuse(built, reply).await;
            }
            Command::Edit { id, text, reply } => {
                let now_ms = self.server.clock().now_ms();
                let built = self.about(&id, true, |key| edit(key, &text, now_ms)).await;
                self.post_or_refuse(built, reply).await;
            }
            Command::Revoke { id, reply } => {
                let built = self.about(&id, true, revoke).await;
                self.post_or_refuse(built, reply).await;
            }
            Command::Act { id, action, reply } => self.act(&id, action, reply).await,
            Command::Read { id, reply } => {
                let _ = reply.send(self.send_read(&id).await);
            }
            Command::Call {
                to,
                is_video,
                reply,
            } => {
                let _ = reply.send(self.call(&to, is_video).await);
            }
            Command::ActOnCall { id, action, reply } => {
                let _ = reply.send(self.act_on_call(&id, action).await);
            }
            Command::Keep { change, reply } => {
                let _ = reply.send(self.keep(change).await);
            }
            Command::Kept { reply } => {
                let _ = reply.send(self.kept().await);
            }
            Command::Typing { to, state, reply } => {
                let _ = reply.send(self.send_typing(&to, state).await);
            }
            Command::Presence {
                is_available,
                reply,
            } => {
                let _ = reply.send(self.send_presence(is_available));
            }
            Command::Offline { reply } => {
                self.disconnect().await;
                self.record.is_offline = true;
                let _ = reply.send(self.commit_record());
            }
            Command::Online { reply } => {
                self.record.is_offline = false;
                let saved = self.commit_record();
                let connected = self.connect().await;
                let _ = reply.send(saved.and(connected));
            }
            Command::Behave { behaviour, reply } => {
                self.record.behaviour = behaviour;
                let _ = reply.send(self.commit_record());
            }
            Command::Behaviour { reply } => {
                let _ = reply.send(self.record.behaviour);
            }
            Command::ForgetSessions { reply } => {
                self.signal.forget_all_sessions();
                self.informed.clear();
                let _ = reply.send(self.commit());
            }
            Command::SetPast { past, reply } => {
                self.record.past = Some(past);
                let _ = reply.send(self.commit_record());
            }
            Command::Request { query, reply } => {
                let _ = reply.send(self.ask_server(query).await);
            }
            Command::BeginAppState { reply } => {
                let _ = reply.send(self.begin_app_state().await);
            }
            Command::Serve { reply } => {
                self.serve_companions().await;
                let _ = reply.send(Ok(()));
            }
            Command::AwaitFinish {
                pairing_ref,
                finish,
                reply,
            } => {
                self.awaited_finish = Some((pairing_ref, finish));
                let _ = reply.send(if self.is_connected() {
                    Ok(())
                } else {
                    Err(PhoneError::offline())
                });
            }
            Command::MediaAuth { reply } => {
                let _ = reply.send(self.media_auth().await);
            }
            Command::FileFetched { id, state } => self.on_file_fetched(&id, state),
            Command::FileUploaded {
                request,
                media_key,
                answer,
            } => {
                if let Err(error) = self.answer_file_request(&request, &media_key, &answer) {
                    tracing::debug!(%error, "a companion goes on waiting for a file");
                }
            }
            // Handled by the loop, which ends with it.
            Command::Stop { reply, .. } => drop(reply),
        }
    }

    async fn post_or_refuse(
        &mut self,
        built: Result<(Jid, wa::Message), PhoneError>,
        reply: SendReply,
    ) {
        match built {
            Ok((to, message)) => self.post(to, message, Some(reply)).await,
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    async fn compose(&mut self, request: &SendRequest) -> Result<(Jid, wa::Message), PhoneError> {
        self.require_connection()?;
        let quoted = match &request.reply_to {
            None => None,
            Some(id) => Some(self.quoted(id)?),
        };
        let mut mentioned = Vec::with_capacity(request.mentions.len());
        for mention in &request.mentions {
            mentioned.push(parse_user("mentions", mention)?.to_string());
        }
        let to = self.chat_of(&parse_chat("to", &request.to)?).await?;
        let mut message = build(&request.content, quoted, mentioned);
        if let Some(seconds) = request.expires_in_s {
            message.set_ephemeral_expiration(seconds);
        }
        if let Content::File(file) = &request.content
            && let Some(album) = &file.album
        {
            in_album(&mut message, message_key(&to.to_string(), true, album));
        }
        Ok((to, message))
    }

    fn quoted(&self, id: &str) -> Result<Quoted, PhoneError> {
        let log = self.shared.log();
        let entry = log
            .get(id)
            .ok_or_else(|| PhoneError::invalid("replyTo", "no message has this id"))?;
        let mut message = waproto::codec::message_decode(&entry.encoded)
            .map_err(|_| PhoneError::internal("a stored message is damaged"))?;
        message.message_context_info.take();
        Ok(Quoted {
            id: id.to_owned(),
            sender_jid: entry.message.sender_jid.clone(),
            message,
        })
    }

    /// A message about another one of the log, on its way to the same chat.
    pub(super) async fn about(
        &mut self,
        id: &str,
        must_be_own: bool,
        make: impl FnOnce(wa::MessageKey) -> wa::Message,
    ) -> Result<(Jid, wa::Message), PhoneError> {
        self.require_connection()?;
        let (chat, sender, from_me) = {
            let log = self.shared.log();
            let message = &log.get(id).ok_or_else(|| unknown_message(id))?.message;
            let (chat, sender) = (message.chat_jid.clone(), message.sender_jid.clone());
            (chat, sender, message.from_me)
        };
        if must_be_own && !from_me {
            return Err(PhoneError::Conflict(
                "only an own message can be edited or revoked".to_owned(),
            ));
        }
        let chat: Jid = chat
            .parse()
            .map_err(|_| PhoneError::internal("a stored chat is not a JID"))?;
        let to = self.chat_of(&chat).await?;
        let mut key = message_key(&to.to_string(), from_me, id);
        if to.is_group() && !from_me {
            let sender: Jid = sender
                .parse()
                .map_err(|_| PhoneError::internal("a stored sender is not a JID"))?;
            key.participant = Some(self.chat_of(&sender).await?.to_string());
        }
        Ok((to, make(key)))
    }

    async fn send_typing(&mut self, to: &str, state: TypingState) -> Result<(), PhoneError> {
        let to = self.chat_of(&parse_chat("to", to)?).await?;
        let child = match state {
            TypingState::Composing => NodeBuilder::new("composing"),
            TypingState::Recording => NodeBuilder::new("composing").attr("media", "audio"),
            TypingState::Paused => NodeBuilder::new("paused"),
        };
        let node = NodeBuilder::new("chatstate")
            .attr("to", to)
            .children([child.build()])
            .build();
        self.transmit(node)
    }

    fn send_presence(&self, is_available: bool) -> Result<(), PhoneError> {
        let push_name = self
            .server
            .account(&self.shared.number)
            .map(|account| account.push_name)
            .unwrap_or_default();
        let kind = if is_available {
            "available"
        } else {
            "unavailable"
        };
        let mut node = NodeBuilder::new("presence").attr("type", kind);
        if !push_name.is_empty() {
            node = node.attr("name", push_name);
        }
        self.transmit(node.build())
    }

    fn require_connection(&self) -> Result<(), PhoneError> {
        if self.is_connected() {
            Ok(())
        } else {
            Err(PhoneError::offline())
        }
    }

    /// Asks the server who is behind a LID; without an answer the LID is shown.
    pub(super) async fn know_number(&mut self, jid: &Jid) {
        if !jid.is_lid() || self.contacts.shown(jid).is_pn() {
            return;
        }
        if let Err(error) = self.learn_number(jid).await {
            tracing::debug!(%error, "a number stays unknown");
        }
    }

    /// A companion asks its primary for something.
    pub(super) async fn on_companion_request(
        &mut self,
        companion: &Jid,
        message: &wa::Message,
        request_id: &str,
    ) -> Result<(), PhoneError> {
        let Some(protocol) = message.protocol_message.as_option() else {
            return Ok(());
        };
        if let Some(request) = protocol.app_state_sync_key_request.as_option() {
            let own = &self.record.app_state_key.id;
            let is_known = request
                .key_ids
                .iter()
                .any(|key| key.key_id.as_ref() == Some(own));
            if is_known {
                let share = self.app_state_key_share();
                self.tell_companion(companion, share).await?;
            }
        }
        if let Some(request) = protocol.peer_data_operation_request_message.as_option()
            && let Some(response) = self.resend_response(request, request_id)
        {
            self.tell_companion(companion, response).await?;
        }
        Ok(())
    }

    /// Messages that a companion could not decrypt, as far as this phone has them.
    fn resend_response(
        &self,
        request: &wa::message::PeerDataOperationRequestMessage,
        request_id: &str,
    ) -> Option<wa::message::ProtocolMessage> {
        use wa::message::peer_data_operation_request_response_message::{
            PeerDataOperationResult, peer_data_operation_result::PlaceholderMessageResendResponse,
        };
        let mut results = Vec::new();
        for wanted in &request.placeholder_message_resend_request {
            let Some(key) = wanted.message_key.as_option() else {
                continue;
            };
            let log = self.shared.log();
            let Some(entry) = key.id.as_deref().and_then(|id| log.get(id)) else {
                continue;
            };
            let Ok(decoded) = waproto::codec::message_decode(&entry.encoded) else {
                continue;
            };
            let seconds = u64::try_from(entry.message.timestamp / 1_000).unwrap_or_default();
            let info = web_message(key.clone(), decoded, seconds);
            results.push(PeerDataOperationResult {
                placeholder_message_resend_response: MessageField::some(
                    PlaceholderMessageResendResponse {
                        web_message_info_bytes: Some(info.encode_to_vec()),
                    },
                ),
                ..Default::default()
            });
        }
        if results.is_empty() {
            return None;
        }
        let response = wa::message::PeerDataOperationRequestResponseMessage {
            peer_data_operation_request_type: request.peer_data_operation_request_type,
            stanza_id: Some(request_id.to_owned()),
            peer_data_operation_result: results,
        };
        Some(wa::message::ProtocolMessage {
            r#type: Some(
                wa::message::protocol_message::Type::PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE,
            ),
            peer_data_operation_request_response_message: MessageField::some(response),
            ..Default::default()
        })
    }
}

/// A person, like [`parse_user`], or a group by its JID.
pub(super) fn parse_chat(field: &str, text: &str) -> Result<Jid, PhoneError> {
    match text.parse::<Jid>() {
        Ok(jid) if jid.is_group() && !jid.user.is_empty() => Ok(jid),
        _ => parse_user(field, text),
    }
}

/// A user named by number or JID, without a device.
pub(crate) fn parse_user(field: &str, text: &str) -> Result<Jid, PhoneError> {
    let fault = || PhoneError::invalid(field, "expected a number in digits or a user's JID");
    if text.contains('@') {
        let jid: Jid = text.parse().map_err(|_| fault())?;
        return if jid.is_pn() || jid.is_lid() {
            Ok(jid.to_non_ad())
        } else {
            Err(PhoneError::invalid(
                field,
                "only people and groups have chats that can be used",
            ))
        };
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    if (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(Jid::pn(digits))
    } else {
        Err(fault())
    }
}
