//! Changes in groups.

use wagate_model::{GroupPayload, Jid};
use whatsapp_rust::types::events::GroupUpdate;
use whatsapp_rust::wacore::stanza::groups::{
    GroupNotificationAction as Action, GroupParticipantInfo,
};

use super::identity::{both, model_jid};
use super::text::{clean, present};
use crate::GroupChange;

const INVITE_LINK: &str = "https://chat.whatsapp.com/";

/// What changed in a group; none for what the contract has no word for.
pub(crate) fn group_change(update: &GroupUpdate) -> Option<GroupChange> {
    let group = model_jid(&update.group_jid)?;
    let actor = update.participant.as_ref().and_then(model_jid);
    let mut payload = GroupPayload {
        group_jid: group.to_string(),
        sender: actor.as_ref().map(Jid::to_string),
        timestamp: Some(update.timestamp.timestamp_millis()),
        ..GroupPayload::default()
    };
    let mut aliases = Vec::new();
    let actor_phone = update.participant_pn.as_ref().and_then(model_jid);
    if let (Some(phone), Some(lid)) = both(actor, actor_phone) {
        aliases.push((phone, lid));
    }
    let is_about_members = match &update.action {
        Action::Add {
            participants,
            reason,
        } => {
            payload.join = Some(addresses(participants, &mut aliases));
            payload.reason = present(reason.as_deref());
            true
        }
        Action::Remove {
            participants,
            reason,
        } => {
            payload.leave = Some(addresses(participants, &mut aliases));
            payload.reason = present(reason.as_deref());
            true
        }
        Action::Promote { participants } => {
            payload.promote = Some(addresses(participants, &mut aliases));
            true
        }
        Action::Demote { participants } => {
            payload.demote = Some(addresses(participants, &mut aliases));
            true
        }
        setting => {
            set(&mut payload, setting)?;
            false
        }
    };
    Some(GroupChange {
        group,
        payload,
        is_about_members,
        aliases,
    })
}

fn set(payload: &mut GroupPayload, setting: &Action) -> Option<()> {
    match setting {
        Action::Subject { subject, .. } => payload.subject = Some(clean(subject)),
        Action::Description { description, .. } => {
            payload.description = Some(clean(description.as_deref().unwrap_or_default()));
        }
        Action::Locked { .. } => payload.is_locked = Some(true),
        Action::Unlocked => payload.is_locked = Some(false),
        Action::Announce => payload.is_announce = Some(true),
        Action::NotAnnounce => payload.is_announce = Some(false),
        Action::Invite { code } => {
            payload.new_invite_link = Some(format!("{INVITE_LINK}{}", clean(code)));
        }
        Action::Delete { reason } => {
            payload.reason = Some(present(reason.as_deref()).unwrap_or_else(|| "deleted".into()));
        }
        _ => return None,
    }
    Some(())
}

fn addresses(people: &[GroupParticipantInfo], aliases: &mut Vec<(Jid, Jid)>) -> Vec<String> {
    let mut addresses = Vec::with_capacity(people.len());
    for person in people {
        let Some(address) = model_jid(&person.jid) else {
            continue;
        };
        addresses.push(address.to_string());
        let other = person.phone_number.as_ref().or(person.lid.as_ref());
        if let (Some(phone), Some(lid)) = both(Some(address), other.and_then(model_jid)) {
            aliases.push((phone, lid));
        }
    }
    addresses
}
