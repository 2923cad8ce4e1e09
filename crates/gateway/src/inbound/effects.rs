//! What messages change: other messages, polls, events, and the timers of chats.

use wagate_engine::{Content, InboundMessage, VoteChoice};
use wagate_model::{EventResponder, EventResponse, Jid, JidKind, PollData};
use wagate_store::{ChatChange, ChatRef, PollVote, Result};

use super::batch::{Batch, sender_key};
use super::payload::{chosen_options, pinned_until};

impl Batch<'_, '_> {
    /// Changes the message that this one is about.
    pub(super) async fn apply_effect(
        &mut self,
        message: &InboundMessage,
        chat: &ChatRef,
    ) -> Result<()> {
        match &message.content {
            Content::Edit { target, content } if matches!(**content, Content::Event(_)) => {
                if let Content::Event(event) = &**content {
                    let sender = sender_key(message);
                    self.owned
                        .change_event(chat.id, &target.id, &sender, event, self.now_ms)
                        .await?;
                    self.owned
                        .edit_message(chat.id, &target.id, &sender, &event.name, self.now_ms)
                        .await?;
                }
            }
            Content::Edit { target, content } => {
                let Some(body) = content.body() else {
                    return Ok(());
                };
                // Only the author edits: the sender of the edit names the row.
                let sender = sender_key(message);
                self.owned
                    .edit_message(chat.id, &target.id, &sender, body, self.now_ms)
                    .await?;
            }
            Content::Poll(poll) => self.note_poll(message, chat, poll).await?,
            Content::PollVote { target, choice } => {
                self.note_vote(message, chat, &target.id, choice).await?;
            }
            Content::EventResponse {
                target,
                response: Some(response),
            } => {
                let answer = responder(message, *response);
                self.owned
                    .note_event_answer(chat.id, &target.id, &answer)
                    .await?;
            }
            Content::Pin { target, seconds } => {
                let until = seconds.map(|seconds| pinned_until(message, seconds));
                self.owned
                    .pin_message(chat.id, &target.id, until, self.now_ms)
                    .await?;
            }
            Content::Keep { target, is_kept } => {
                let kept_at = is_kept.then_some(message.timestamp_ms);
                self.owned
                    .keep_message(chat.id, &target.id, kept_at, self.now_ms)
                    .await?;
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
            Content::Revoke { target } => {
                // A group's admin deletes messages of others; elsewhere only the author does.
                let author = (message.chat.kind() != JidKind::Group).then(|| sender_key(message));
                self.owned
                    .revoke_message(chat.id, &target.id, author.as_deref(), self.now_ms)
                    .await?;
            }
            _ => {}
        }
        Ok(())
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
        poll_id: &str,
        choice: &VoteChoice,
    ) -> Result<()> {
        if matches!(choice, VoteChoice::Unreadable) {
            return Ok(());
        }
        let Some(poll) = self.poll(chat.id, poll_id).await? else {
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
        self.owned.note_poll_vote(chat.id, poll_id, &vote).await
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
