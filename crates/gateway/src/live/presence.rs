//! Presence: who is there, and who types.

use wagate_cluster::{LiveReply, PresenceReply, PresenceRequest};
use wagate_engine::TypingState;
use wagate_model::ChatPresenceState;

use super::{Live, LiveResult};

impl Live<'_> {
    pub(super) async fn presence(&self, request: PresenceRequest) -> LiveResult {
        match request {
            PresenceRequest::SetOnline { is_online } => {
                self.done(self.connection.set_online(is_online).await)
            }
            PresenceRequest::SetInChat { chat, state } => {
                let state = match state {
                    ChatPresenceState::Composing => TypingState::Composing,
                    ChatPresenceState::Recording => TypingState::Recording,
                    ChatPresenceState::Paused => TypingState::Paused,
                };
                self.done(self.connection.set_typing(&chat, state).await)
            }
            PresenceRequest::Subscribe { person } => {
                let asked = self.connection.subscribe_presence(&person).await;
                if let Err(error) = asked {
                    return Err(self.refusal(&error));
                }
                let status = self.session.presences.of(&person);
                Ok(LiveReply::Presence(PresenceReply::Status(status)))
            }
        }
    }
}
