//! Whole groups as WhatsApp describes them: stored, and told where they are new.

use std::collections::{HashMap, HashSet};

use wagate_engine::{GroupPerson, GroupSnapshot};
use wagate_model::{EventKind, GroupPayload, GroupRole, Jid};
use wagate_store::{Account, GroupFacts, GroupMemberRecord, GroupRecord, Owned, Result};

use super::change::{forget_known_settings, has_news, own_address};
use crate::inbound::{identity_of, note_alias, tell};

/// How a whole group came to be known.
#[derive(Clone, Default)]
pub(crate) struct Arrival {
    /// Whether it is told that the account came into the group, where that is new.
    pub(crate) tells_entry: bool,
    /// Whether it is new for certain, though the group is stored.
    pub(crate) is_new: bool,
    /// Who brought it in, where known.
    pub(crate) sender: Option<String>,
    /// When, in milliseconds since 1970.
    pub(crate) timestamp_ms: Option<i64>,
}

/// Stores a group as WhatsApp describes it, and tells what of it was not known.
pub(crate) async fn store_snapshot(
    owned: &mut Owned<'_>,
    snapshot: &GroupSnapshot,
    arrival: &Arrival,
    own: Option<&Account>,
    now_ms: i64,
) -> Result<()> {
    let (organization, session) = (owned.organization(), owned.session());
    let jid = snapshot.group.as_str();
    let before = owned.group(organization, session, jid).await?;
    let facts = facts_of(snapshot, before.as_ref());
    let was_in = !arrival.is_new && before.as_ref().is_some_and(|group| !group.is_left);
    let is_same = was_in
        && before
            .as_ref()
            .is_some_and(|before| is_same(before, &facts));
    let id = match &before {
        Some(before) if is_same => before.id,
        _ => owned.upsert_group(&facts, now_ms).await?,
    };
    let has_new_subject = before.as_ref().is_none_or(|b| b.subject != facts.subject);
    if has_new_subject {
        owned
            .name_group_chat(jid, &snapshot.subject, now_ms)
            .await?;
    }
    let moves = members(owned, id, snapshot, now_ms).await?;
    let payload = || GroupPayload {
        group_jid: jid.to_owned(),
        sender: arrival.sender.clone(),
        timestamp: Some(arrival.timestamp_ms.unwrap_or(now_ms)),
        ..GroupPayload::default()
    };
    let group = Some(&snapshot.group);
    if !was_in {
        if let Some(own) = own.filter(|_| arrival.tells_entry) {
            let payload = GroupPayload {
                join: Some(vec![own_address(own).to_owned()]),
                subject: Some(snapshot.subject.clone()),
                ..payload()
            };
            tell(owned, EventKind::GroupParticipant, &payload, group, now_ms)?;
        }
        return Ok(());
    }
    // What is heard of a group for the first time is no change.
    let Some(before) = before.filter(|group| group.participant_count.is_some()) else {
        return Ok(());
    };
    let mut settings = GroupPayload {
        subject: Some(snapshot.subject.clone()),
        description: Some(snapshot.description.clone()),
        is_announce: Some(snapshot.is_announce),
        is_locked: Some(snapshot.is_locked),
        disappearing_seconds: Some(i64::from(snapshot.disappearing_seconds)),
        ..payload()
    };
    forget_known_settings(&mut settings, Some(&before));
    if has_news(&settings) {
        tell(owned, EventKind::GroupUpdate, &settings, group, now_ms)?;
    }
    for event in moves.payloads(&payload()) {
        tell(owned, EventKind::GroupParticipant, &event, group, now_ms)?;
    }
    Ok(())
}

fn facts_of(snapshot: &GroupSnapshot, before: Option<&GroupRecord>) -> GroupFacts {
    let told = i64::try_from(snapshot.members.len()).unwrap_or(i64::MAX);
    let size = snapshot.size.map(i64::from);
    let is_counted = snapshot.is_complete || before.is_some_and(|b| b.participant_count.is_some());
    GroupFacts {
        jid: snapshot.group.to_string(),
        subject: Some(snapshot.subject.clone()),
        description: Some(snapshot.description.clone()),
        owner_jid: snapshot.owner.as_ref().map(Jid::to_string),
        is_announce: Some(snapshot.is_announce),
        is_locked: Some(snapshot.is_locked),
        disappearing_seconds: Some(i64::from(snapshot.disappearing_seconds)),
        // A number of members says that they are all stored.
        participant_count: is_counted.then(|| size.unwrap_or(told).max(told)),
        created_at_wa: snapshot.created_at_ms,
        invite_code: None,
        is_left: Some(false),
    }
}

/// Whether a group is stored like that already.
fn is_same(before: &GroupRecord, facts: &GroupFacts) -> bool {
    before.subject == facts.subject
        && before.description == facts.description
        && before.is_announce == facts.is_announce
        && before.is_locked == facts.is_locked
        && before.disappearing_seconds == facts.disappearing_seconds
        && (facts.owner_jid.is_none() || before.owner_jid == facts.owner_jid)
        && (facts.created_at_wa.is_none() || before.created_at_wa == facts.created_at_wa)
        && (facts.participant_count.is_none()
            || before.participant_count == facts.participant_count)
}

/// What is new about the members of a group.
#[derive(Default)]
struct Moves {
    join: Vec<String>,
    leave: Vec<String>,
    promote: Vec<String>,
    demote: Vec<String>,
}

impl Moves {
    /// A payload for each kind of news.
    fn payloads(self, about: &GroupPayload) -> Vec<GroupPayload> {
        let mut payloads = Vec::new();
        let mut add = |people: Vec<String>, put: fn(&mut GroupPayload, Vec<String>)| {
            if !people.is_empty() {
                let mut payload = about.clone();
                put(&mut payload, people);
                payloads.push(payload);
            }
        };
        add(self.join, |payload, people| payload.join = Some(people));
        add(self.leave, |payload, people| payload.leave = Some(people));
        add(self.promote, |payload, people| {
            payload.promote = Some(people);
        });
        add(self.demote, |payload, people| payload.demote = Some(people));
        payloads
    }
}

/// Brings the stored members of a group in line; gives what is new.
async fn members(
    owned: &mut Owned<'_>,
    id: i64,
    snapshot: &GroupSnapshot,
    now_ms: i64,
) -> Result<Moves> {
    let mut moves = Moves::default();
    let (organization, session) = (owned.organization(), owned.session());
    let stored = owned
        .group_members(organization, session, snapshot.group.as_str())
        .await?;
    let mut known: HashMap<&str, &GroupMemberRecord> = HashMap::new();
    for member in &stored {
        for address in [&member.lid, &member.phone_jid].into_iter().flatten() {
            known.insert(address, member);
        }
    }
    let mut seen = HashSet::new();
    for person in &snapshot.members {
        let address = person.person.to_string();
        let alias = person
            .alias
            .as_ref()
            .and_then(|jid| known.get(jid.as_str()));
        let Some(member) = known.get(address.as_str()).or(alias) else {
            if let Some(identity) = identity_of_person(owned, person, now_ms).await?
                && seen.insert(identity)
            {
                put(owned, id, identity, person, now_ms).await?;
                moves.join.push(address);
            }
            continue;
        };
        seen.insert(member.identity_id);
        let role = GroupRole::of(&member.role);
        match (role.is_admin(), person.role.is_admin()) {
            (false, true) => moves.promote.push(address),
            (true, false) => moves.demote.push(address),
            _ => {}
        }
        let has_new_tag = person.tag.is_some() && person.tag != member.tag;
        if role != person.role || has_new_tag {
            put(owned, id, member.identity_id, person, now_ms).await?;
        }
    }
    if snapshot.is_complete {
        for member in stored.iter().filter(|m| !seen.contains(&m.identity_id)) {
            owned.remove_group_member(id, member.identity_id).await?;
            let address = member.lid.as_ref().or(member.phone_jid.as_ref());
            moves.leave.extend(address.cloned());
        }
    }
    Ok(moves)
}

async fn identity_of_person(
    owned: &mut Owned<'_>,
    person: &GroupPerson,
    now_ms: i64,
) -> Result<Option<i64>> {
    if let Some(alias) = &person.alias {
        note_alias(owned, &person.person, alias, now_ms).await?;
    }
    identity_of(owned, person.person.as_str(), now_ms).await
}

async fn put(
    owned: &mut Owned<'_>,
    group_id: i64,
    identity: i64,
    person: &GroupPerson,
    now_ms: i64,
) -> Result<()> {
    let (role, tag) = (person.role.as_str(), person.tag.as_deref());
    owned
        .upsert_group_member(group_id, identity, role, tag, now_ms)
        .await
}
