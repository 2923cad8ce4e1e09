//! What messages change: other messages, polls, events, and the timers of chats.

use wagate_engine::{Content, InboundMessage, MessageRef, VoteChoice};
use wagate_model::{EventResponder, EventResponse, GroupRole, Jid, JidKind, MessageType, PollData};
use wagate_store::{ChatChange, ChatRef, PollVote, Result, StoredMessage};

use super::batch::{Batch, sender_key};
use super::content::poll_of;
use super::payload::{chosen_options, pinned_until};
use crate::targets::{Whose, referred};

impl Batch<'_, '_> {
    /// Changes the message that this one is about; whether the change is to be believed, and told.
    pub(super) async fn apply_effect(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
    ) -> Result<bool> {
        match &message.content {
            Content::Edit { target, content } => {
                return self.edit(message, chat, target, content).await;
            }
            Content::Revoke { target } => return self.revoke(message, chat, target).await,
            Content::Poll(poll) => self.note_poll(message, chat, poll).await?,
            Content::PollVote { target, choice } => {
                self.note_vote(message, chat, target, choice).await?;
            }
            Content::EventResponse {
                target,
                response: Some(response),
            } => {
                if let Some(event) = self.target(message, chat, target).await? {
                    let answer = responder(message, *response);
                    self.owned
                        .note_event_answer(chat.id, &target.id, &event.sender_key, &answer)
                        .await?;
                }
            }
            Content::Pin { target, seconds } => {
                let until = seconds.map(|seconds| pinned_until(message, seconds));
                if let Some(pinned) = self.target(message, chat, target).await? {
                    let (key, now_ms) = (&pinned.sender_key, self.now_ms);
                    self.owned
                        .pin_message(chat.id, &target.id, key, until, now_ms)
                        .await?;
                }
            }
            Content::Keep { target, is_kept } => {
                let kept_at = is_kept.then_some(message.timestamp_ms);
                if let Some(kept) = self.target(message, chat, target).await? {
                    let (key, now_ms) = (&kept.sender_key, self.now_ms);
                    self.owned
                        .keep_message(chat.id, &target.id, key, kept_at, now_ms)
                        .await?;
                }
            }
            Content::Timer { seconds } if message.chat.kind().is_person() => {
                let change = ChatChange {
                    disappearing_seconds: Some(i64::from(*seconds)),
                    ..ChatChange::default()
                };
                let (organization, session) = (self.owned.organization(), self.owned.session());
                self.owned
                    .update_chat(organization, session, chat.id, &change, self.now_ms)
                    .await?;
            }
            _ => {}
        }
        Ok(true)
    }

    /// The stored message that a reference within a message names.
    async fn target(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        target: &MessageRef,
    ) -> Result<Option<StoredMessage>> {
        let whose = Whose::of(&message.chat, target);
        referred(self.owned, chat.id, &target.id, whose).await
    }

    /// The stored message of this id by who sent `message`.
    async fn authored(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        id: &str,
    ) -> Result<Option<StoredMessage>> {
        if message.chat.kind() == JidKind::Newsletter {
            // Posts are the channel's, whoever wrote them.
            let key = sender_key(message);
            return self.owned.stored_message(chat.id, id, Some(&key)).await;
        }
        referred(self.owned, chat.id, id, Whose::sent(message)).await
    }

    /// Whether a change of a message by who did not send it could be of one that is not stored.
    async fn may_be_unknown(&mut self, chat: &ChatRef, id: &str) -> Result<bool> {
        let stored = self.owned.stored_message(chat.id, id, None).await?;
        Ok(stored.is_none() || chat.jid.ends_with("@newsletter"))
    }

    /// Only the author edits.
    async fn edit(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        target: &MessageRef,
        content: &Content,
    ) -> Result<bool> {
        let Some(stored) = self.authored(message, chat, &target.id).await? else {
            return self.may_be_unknown(chat, &target.id).await;
        };
        let (key, now_ms) = (&stored.sender_key, self.now_ms);
        let is_event = stored.kind == MessageType::Event.as_str();
        if let Content::Event(event) = content {
            let owned = &mut *self.owned;
            return owned
                .change_event(chat.id, &target.id, key, event, now_ms)
                .await;
        }
        let Some(body) = content.body().filter(|_| !is_event) else {
            return Ok(!is_event);
        };
        self.owned
            .edit_message(chat.id, &target.id, key, body, now_ms)
            .await
    }

    /// The author deletes, and in groups an admin.
    async fn revoke(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        target: &MessageRef,
    ) -> Result<bool> {
        let own = self.authored(message, chat, &target.id).await?;
        let is_group = message.chat.kind() == JidKind::Group;
        let whose = Whose::of(&message.chat, target);
        // Where nobody is named, the revoker's own comes first.
        let is_named = is_group && (whose != Whose::Anybody || own.is_none());
        let stored = if is_named {
            referred(self.owned, chat.id, &target.id, whose).await?
        } else {
            own.clone()
        };
        let Some(stored) = stored else {
            return self.may_be_unknown(chat, &target.id).await;
        };
        let is_own = own.is_some_and(|own| own.id == stored.id);
        if !is_own && !self.may_delete(message).await? {
            return Ok(false);
        }
        let key = Some(stored.sender_key.as_str());
        self.owned
            .revoke_message(chat.id, &target.id, key, self.now_ms)
            .await?;
        Ok(true)
    }

    /// Whether who sent a message may delete those of other members of the group.
    ///
    /// Of a group whose members are not known yet, WhatsApp's word counts.
    async fn may_delete(&mut self, message: &InboundMessage) -> Result<bool> {
        if message.from_me {
            return Ok(true);
        }
        let (organization, session) = (self.owned.organization(), self.owned.session());
        let group = message.chat.as_str();
        let group = self.owned.group(organization, session, group).await?;
        let Some(group) = group.filter(|group| group.participant_count.is_some()) else {
            return Ok(true);
        };
        let sender = message.sender_lid.as_ref().or(message.sender_jid.as_ref());
        let Some(sender) = sender.map(Jid::to_string) else {
            return Ok(false);
        };
        let people = self
            .owned
            .identities_of(session, std::slice::from_ref(&sender))
            .await?;
        let Some(person) = people.get(&sender) else {
            return Ok(false);
        };
        let role = self.owned.group_role(group.id, person.id).await?;
        Ok(role.is_some_and(|role| GroupRole::of(&role).is_admin()))
    }

    /// A message came once more: a live location comes so each time it has moved.
    pub(super) async fn note_again(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
    ) -> Result<()> {
        if let Content::Location {
            place,
            is_live: true,
        } = &message.content
        {
            let sender = sender_key(message);
            self.owned
                .move_location(chat.id, &message.id, &sender, place, self.now_ms)
                .await?;
        }
        Ok(())
    }

    /// Learns the timer of a chat of two from a message that disappears.
    pub(super) async fn learn_timer(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
    ) -> Result<()> {
        match message.expires_after_s {
            Some(seconds)
                if message.chat.kind().is_person()
                    && chat.disappearing_seconds != Some(seconds) =>
            {
                self.owned.learn_timer(chat.id, seconds).await
            }
            _ => Ok(()),
        }
    }

    /// The poll that a message votes in, where it was seen.
    pub(super) async fn poll(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        target: &MessageRef,
    ) -> Result<Option<PollData>> {
        let stored = self.target(message, chat, target).await?;
        Ok(stored.and_then(|stored| poll_of(&stored.content?)))
    }

    /// Notes a poll that will close; one of the past is no news.
    async fn note_poll(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        poll: &PollData,
    ) -> Result<()> {
        let Some(ends_at) = poll.end_time.filter(|end| *end > self.now_ms) else {
            return Ok(());
        };
        self.owned
            .note_timed_poll(chat.id, &message.id, poll, ends_at)
            .await
    }

    /// Notes a vote for the end of its poll, where that closes at a time.
    async fn note_vote(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
        target: &MessageRef,
        choice: &VoteChoice,
    ) -> Result<()> {
        if matches!(choice, VoteChoice::Unreadable) {
            return Ok(());
        }
        let Some(stored) = self.target(message, chat, target).await? else {
            return Ok(());
        };
        // The first poll of an id is the one that closes.
        let first = self.owned.stored_message(chat.id, &target.id, None).await?;
        let is_first = first.is_some_and(|first| first.id == stored.id);
        let Some(poll) = stored
            .content
            .as_ref()
            .and_then(poll_of)
            .filter(|_| is_first)
        else {
            return Ok(());
        };
        let voter = message.sender_lid.as_ref().or(message.sender_jid.as_ref());
        let (Some(_), Some(voter)) = (poll.end_time, voter) else {
            return Ok(());
        };
        let vote = PollVote {
            voter: voter.to_string(),
            name: message.push_name.clone(),
            options: chosen_options(choice, &poll.options),
            voted_at_ms: message.timestamp_ms,
        };
        self.owned.note_poll_vote(chat.id, &target.id, &vote).await
    }
}

/// An answer to an event, with who gave it.
fn responder(message: &InboundMessage, response: EventResponse) -> EventResponder {
    let person = message.sender_lid.as_ref().or(message.sender_jid.as_ref());
    EventResponder {
        answered_at: message.timestamp_ms,
        extra_guests: response.extra_guests,
        jid: person.map(Jid::to_string).unwrap_or_default(),
        name: message.push_name.clone(),
        response: response.response,
    }
}
