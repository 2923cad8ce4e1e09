//! Addresses.

use wagate_model::{Jid, JidKind};
use whatsapp_rust::{Jid as LibraryJid, Server};

/// An address without its device; none for servers that the model does not know.
pub(crate) fn model_jid(jid: &LibraryJid) -> Option<Jid> {
    let server = match jid.server {
        Server::Pn | Server::Legacy | Server::Hosted => "s.whatsapp.net",
        Server::Lid | Server::HostedLid => "lid",
        other => other.as_str(),
    };
    format!("{}@{server}", jid.user_base()).parse().ok()
}

/// The same of an address in a protocol message.
pub(super) fn parsed_jid(text: Option<&str>) -> Option<Jid> {
    let jid: LibraryJid = text?.parse().ok()?;
    model_jid(&jid)
}

/// An address as the library takes it.
pub(crate) fn library_jid(jid: &Jid) -> LibraryJid {
    let server = match jid.kind() {
        JidKind::User => Server::Pn,
        JidKind::Lid => Server::Lid,
        JidKind::Group => Server::Group,
        JidKind::Newsletter => Server::Newsletter,
        JidKind::Broadcast | JidKind::Status => Server::Broadcast,
    };
    LibraryJid::new(jid.user(), server)
}

/// The account's own two addresses, as far as known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) phone: Option<Jid>,
    pub(crate) lid: Option<Jid>,
}

impl Own {
    /// Whether an address is the account's.
    pub(crate) fn is(&self, jid: &Jid) -> bool {
        self.phone.as_ref() == Some(jid) || self.lid.as_ref() == Some(jid)
    }
}

/// A person's two addresses from one or two of them, in any order.
pub(super) fn both(one: Option<Jid>, other: Option<Jid>) -> (Option<Jid>, Option<Jid>) {
    let mut phone = None;
    let mut lid = None;
    for jid in [one, other].into_iter().flatten() {
        match jid.kind() {
            JidKind::User => phone = phone.or(Some(jid)),
            JidKind::Lid => lid = lid.or(Some(jid)),
            _ => {}
        }
    }
    (phone, lid)
}

/// The second address of a person, if it really is of the other kind.
pub(crate) fn alias(of: &Jid, candidate: Option<Jid>) -> Option<Jid> {
    candidate.filter(|other| {
        other.kind().is_person() && of.kind().is_person() && other.kind() != of.kind()
    })
}
