//! Groups, and changes in them.

use wagate_model::{GroupPayload, GroupRole, Jid, JidKind};
use whatsapp_rust::features::{GroupMetadata, GroupParticipant, ParticipantType};
use whatsapp_rust::types::events::GroupUpdate;
use whatsapp_rust::wacore::iq::groups::GroupInfoResponse;
use whatsapp_rust::wacore::protocol::ProtocolNode as _;
use whatsapp_rust::wacore::stanza::groups::{
    GroupNotificationAction as Action, GroupParticipantInfo,
};
use whatsapp_rust::wacore_binary::Node;

use super::identity::{alias, both, model_jid};
use super::text::{clean, present};
use crate::{EngineEvent, GroupChange, GroupEntry, GroupPerson, GroupSnapshot};

const INVITE_LINK: &str = "https://chat.whatsapp.com/";

/// What a notification about a group says, in order.
pub(crate) fn group_news(update: &GroupUpdate) -> Vec<EngineEvent> {
    let mut news = Vec::new();
    let mut is_stale = update.has_incomplete_participant_information;
    match &update.action {
        Action::Create { raw } => match entry(raw, update) {
            Some(entry) => news.push(EngineEvent::GroupEntered(Box::new(entry))),
            None => is_stale = true,
        },
        // They say too little of what is so now.
        Action::Modify { .. } | Action::Link { .. } | Action::Unlink { .. } => is_stale = true,
        _ => news.extend(group_change(update).map(EngineEvent::Group)),
    }
    if is_stale && let Some(group) = model_jid(&update.group_jid) {
        news.push(EngineEvent::GroupsStale(Some(group)));
    }
    news
}

/// The group that the account came into.
fn entry(raw: &Node, update: &GroupUpdate) -> Option<GroupEntry> {
    let described = raw.get_optional_child("group").unwrap_or(raw);
    let described = GroupInfoResponse::try_from_node(described).ok()?;
    let snapshot = group(&GroupMetadata::from(described))?;
    if model_jid(&update.group_jid).as_ref() != Some(&snapshot.group) {
        return None;
    }
    let by = update.participant.as_ref().and_then(model_jid);
    Some(GroupEntry {
        snapshot,
        by,
        timestamp_ms: update.timestamp.timestamp_millis(),
    })
}

/// A group as it is now; none where its address is of no group.
pub(crate) fn group(described: &GroupMetadata) -> Option<GroupSnapshot> {
    let group = model_jid(&described.id).filter(|jid| jid.kind() == JidKind::Group)?;
    let members: Vec<_> = described.participants.iter().filter_map(member).collect();
    let told = described.participants.len();
    let is_complete = !members.is_empty()
        && members.len() == told
        && !described.has_missing_participant_identification
        && described
            .size
            .is_none_or(|size| usize::try_from(size).is_ok_and(|size| size <= told));
    let owner = described.creator.as_ref().or(described.creator_pn.as_ref());
    Some(GroupSnapshot {
        group,
        subject: clean(&described.subject),
        description: clean(described.description.as_deref().unwrap_or_default()),
        owner: owner.and_then(model_jid),
        created_at_ms: described.creation_time.and_then(seconds_to_ms),
        is_announce: described.is_announcement,
        is_locked: described.is_locked,
        disappearing_seconds: described
            .ephemeral
            .as_ref()
            .and_then(|timer| timer.expiration)
            .unwrap_or(0),
        size: described.size,
        members,
        is_complete,
        is_approval_required: described.membership_approval,
        is_community: described.is_parent_group,
        community: described.parent_group_jid.as_ref().and_then(model_jid),
        is_community_announcements: described.is_default_sub_group,
    })
}

fn member(described: &GroupParticipant) -> Option<GroupPerson> {
    let person = model_jid(&described.jid).filter(|jid| jid.kind().is_person())?;
    let other = match person.kind() {
        JidKind::Lid => described.phone_number.as_ref(),
        _ => described.lid.as_ref(),
    };
    let label = described
        .details
        .as_ref()
        .and_then(|details| details.participant_label.as_deref());
    Some(GroupPerson {
        alias: alias(&person, other.and_then(model_jid)),
        person,
        role: match described.participant_type {
            ParticipantType::Member => GroupRole::Member,
            ParticipantType::Admin => GroupRole::Admin,
            ParticipantType::SuperAdmin => GroupRole::SuperAdmin,
        },
        tag: present(label),
    })
}

/// A time in seconds since 1970 in milliseconds.
pub(crate) fn seconds_to_ms(seconds: u64) -> Option<i64> {
    i64::try_from(seconds).ok()?.checked_mul(1_000)
}

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
        is_deleted: matches!(update.action, Action::Delete { .. }),
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
        Action::Ephemeral { expiration, .. } => {
            payload.disappearing_seconds = Some(i64::from(*expiration));
        }
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
