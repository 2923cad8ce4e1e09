//! What an organization does, step by step.

use proptest::prelude::*;

/// One deed of an organization. Numbers choose among what it has, as far as that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    CreateSession {
        label: u8,
    },
    RenameSession {
        which: u8,
        label: u8,
    },
    DeleteSession {
        which: u8,
    },
    Command {
        which: u8,
        verb: u8,
    },
    /// Messages come in: the gateway stores them, and tells of it.
    Arrive {
        which: u8,
        chats: u8,
    },
    Send {
        which: u8,
        key: u8,
        text: u8,
    },
    CreateWebhook {
        session: Option<u8>,
    },
    RenameWebhook {
        which: u8,
        name: u8,
    },
    DeleteWebhook {
        which: u8,
    },
    Replay {
        which: u8,
    },
    MakeKey {
        session: Option<u8>,
        permission: u8,
    },
    UseKey {
        which: u8,
    },
    RevokeKey {
        which: u8,
    },
    Invite {
        whom: u8,
    },
    Accept {
        which: u8,
    },
    RevokeInvitation {
        which: u8,
    },
    SetRole {
        which: u8,
        role: u8,
    },
    RemoveMember {
        which: u8,
    },
    Rename {
        name: u8,
    },
    Ticket {
        session: Option<u8>,
    },
    Pull {
        after: Option<u8>,
    },
    List {
        what: u8,
        which: u8,
    },
    /// Goes on in a list.
    More {
        which: u8,
    },
    /// Tries something with what another organization has.
    Pry {
        deed: u8,
        whose: u8,
    },
}

/// Any step.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let n = || 0..4_u8;
    let maybe = || proptest::option::of(0..4_u8);
    prop_oneof![
        2 => n().prop_map(|label| Step::CreateSession { label }),
        1 => (n(), n()).prop_map(|(which, label)| Step::RenameSession { which, label }),
        1 => n().prop_map(|which| Step::DeleteSession { which }),
        1 => (n(), n()).prop_map(|(which, verb)| Step::Command { which, verb }),
        3 => (n(), n()).prop_map(|(which, chats)| Step::Arrive { which, chats }),
        3 => (n(), n(), 0..2_u8).prop_map(|(which, key, text)| Step::Send { which, key, text }),
        2 => maybe().prop_map(|session| Step::CreateWebhook { session }),
        1 => (n(), n()).prop_map(|(which, name)| Step::RenameWebhook { which, name }),
        1 => n().prop_map(|which| Step::DeleteWebhook { which }),
        1 => n().prop_map(|which| Step::Replay { which }),
        1 => (maybe(), n()).prop_map(|(session, permission)| Step::MakeKey { session, permission }),
        1 => n().prop_map(|which| Step::UseKey { which }),
        1 => n().prop_map(|which| Step::RevokeKey { which }),
        2 => n().prop_map(|whom| Step::Invite { whom }),
        1 => n().prop_map(|which| Step::Accept { which }),
        1 => n().prop_map(|which| Step::RevokeInvitation { which }),
        1 => (n(), n()).prop_map(|(which, role)| Step::SetRole { which, role }),
        1 => n().prop_map(|which| Step::RemoveMember { which }),
        1 => n().prop_map(|name| Step::Rename { name }),
        1 => maybe().prop_map(|session| Step::Ticket { session }),
        3 => maybe().prop_map(|after| Step::Pull { after }),
        5 => (0..10_u8, n()).prop_map(|(what, which)| Step::List { what, which }),
        1 => n().prop_map(|which| Step::More { which }),
        3 => (0..12_u8, n()).prop_map(|(deed, whose)| Step::Pry { deed, whose }),
    ]
}
