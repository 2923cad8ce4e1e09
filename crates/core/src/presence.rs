//! Use cases of presence.

use wagate_cluster::{LiveReply, LiveRequest, PresenceReply, PresenceRequest};
use wagate_model::{
    ChatPresenceInput, Draft, Jid, JidKind, OnlineState, PresenceStatus, SetPresenceInput,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::live::unexpected_live;
use crate::service::Core;

impl Core {
    /// Shows the session's account online or offline.
    pub async fn set_presence(
        &self,
        access: &SessionAccess,
        request: Draft<SetPresenceInput>,
    ) -> Result<()> {
        let (request, mut faults) = request.open()?;
        let state = faults.required("state", request.state);
        faults.into_result()?;
        let is_online = state == Some(OnlineState::Online);
        let request = LiveRequest::Presence(PresenceRequest::SetOnline { is_online });
        self.do_live(access, request, What::Session).await
    }

    /// Shows in a chat that the account types, records, or stopped.
    pub async fn set_chat_presence(
        &self,
        access: &SessionAccess,
        chat: &str,
        request: Draft<ChatPresenceInput>,
    ) -> Result<()> {
        let (request, mut faults) = request.open()?;
        let state = faults.required("state", request.state);
        let chat = parse(chat, &mut faults, "must be a person or a group", |kind| {
            kind.is_person() || kind == JidKind::Group
        });
        faults.into_result()?;
        let (Some(chat), Some(state)) = (chat, state) else {
            return Err(Error::NotFound(What::Chat));
        };
        let request = LiveRequest::Presence(PresenceRequest::SetInChat { chat, state });
        self.do_live(access, request, What::Chat).await
    }

    /// Asks for a person's presence from now on, and gives what is known of it.
    pub async fn get_chat_presence(
        &self,
        access: &SessionAccess,
        person: &str,
    ) -> Result<PresenceStatus> {
        let mut faults = wagate_model::Faults::new();
        let person = parse(person, &mut faults, "must be a person", JidKind::is_person);
        faults.into_result()?;
        let Some(person) = person else {
            return Err(Error::NotFound(What::Chat));
        };
        let request = LiveRequest::Presence(PresenceRequest::Subscribe { person });
        let reply = self.ask_live(access, request, What::Chat).await?;
        if let LiveReply::Presence(PresenceReply::Status(status)) = reply {
            Ok(status)
        } else {
            Err(unexpected_live(&reply))
        }
    }
}

/// The chat in a path, where it is of a fitting kind; else a fault.
fn parse(
    text: &str,
    faults: &mut wagate_model::Faults,
    expected: &str,
    is_fitting: impl Fn(JidKind) -> bool,
) -> Option<Jid> {
    match Jid::parse_lenient(text) {
        Ok(jid) if is_fitting(jid.kind()) => Some(jid),
        Ok(_) => {
            faults.add("cid", expected);
            None
        }
        Err(error) => {
            faults.add("cid", error.to_string());
            None
        }
    }
}
