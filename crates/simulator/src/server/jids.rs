//! Telling apart whose address a JID is.

use wacore_binary::{Jid, Server as JidServer};

/// How a stanza names its correspondents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// By phone number.
    Pn,
    /// By LID, WhatsApp's opaque identity.
    Lid,
}

impl Addressing {
    /// The addressing of a user's JID; `None` when it is not a user.
    pub(crate) fn of(jid: &Jid) -> Option<Self> {
        match jid.server {
            JidServer::Pn | JidServer::Legacy | JidServer::Hosted => Some(Self::Pn),
            JidServer::Lid | JidServer::HostedLid => Some(Self::Lid),
            _ => None,
        }
    }
}
