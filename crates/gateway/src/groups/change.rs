//! Changes of groups: stored, and told where they are new.

use wagate_engine::GroupChange;
use wagate_model::{EventKind, GroupPayload, GroupRole, invite_code};
use wagate_store::{Account, GroupFacts, GroupRecord, Owned, Result};

use crate::inbound::{identity_of, note_alias, tell};

/// The address by which the account is named in groups.
pub(crate) fn own_address(own: &Account) -> &str {
    own.lid.as_deref().unwrap_or(&own.jid)
}

fn is_own(own: Option<&Account>, address: &str) -> bool {
    own.is_some_and(|own| own.jid == address || own.lid.as_deref() == Some(address))
}

/// Stores a change of a group, and tells what of it was not known.
///
/// Gives whether the group has to be asked for: the change says too little to know it.
pub(crate) async fn store_change(
    owned: &mut Owned<'_>,
    change: &GroupChange,
    own: Option<&Account>,
    now_ms: i64,
) -> Result<bool> {
    for (phone, lid) in &change.aliases {
        note_alias(owned, phone, lid, now_ms).await?;
    }
    let (organization, session) = (owned.organization(), owned.session());
    let jid = change.group.as_str();
    let before = owned.group(organization, session, jid).await?;
    let mut facts = GroupFacts {
        jid: jid.to_owned(),
        ..GroupFacts::default()
    };
    let id = match &before {
        Some(before) => before.id,
        None => owned.upsert_group(&facts, now_ms).await?,
    };
    let mut payload = change.payload.clone();
    forget_known_settings(&mut payload, before.as_ref());
    let count = before.as_ref().and_then(|group| group.participant_count);
    let was_in = before.as_ref().is_none_or(|group| !group.is_left);
    let mut members = Members {
        id,
        own,
        was_in,
        is_known: count.is_some(),
        count_change: 0,
        is_in: None,
        now_ms,
    };
    members.write(owned, &mut payload).await?;
    let is_over = change.is_deleted && was_in;
    if change.is_deleted {
        members.is_in = Some(false);
    }
    if has_news(&payload) || is_over {
        facts.subject.clone_from(&payload.subject);
        facts.description.clone_from(&payload.description);
        facts.is_announce = payload.is_announce;
        facts.is_locked = payload.is_locked;
        facts.disappearing_seconds = payload.disappearing_seconds;
        facts.invite_code = payload.new_invite_link.as_deref().and_then(invite_code);
        facts.participant_count = count.map(|count| (count + members.count_change).max(0));
        facts.is_left = members.is_in.map(|is_in| !is_in);
        owned.upsert_group(&facts, now_ms).await?;
        if let Some(subject) = &payload.subject {
            owned.name_group_chat(jid, subject, now_ms).await?;
        }
        let kind = if change.is_about_members {
            EventKind::GroupParticipant
        } else {
            EventKind::GroupUpdate
        };
        tell(owned, kind, &payload, Some(&change.group), now_ms)?;
    }
    let is_in = members.is_in.unwrap_or(was_in);
    let has_entered = members.is_in == Some(true) && !was_in;
    Ok(is_in && (before.is_none() || has_entered || count.is_none()))
}

/// Takes out of a change of settings what is so already.
pub(super) fn forget_known_settings(payload: &mut GroupPayload, before: Option<&GroupRecord>) {
    let Some(before) = before else { return };
    payload
        .subject
        .take_if(|it| before.subject.as_ref() == Some(it));
    let description = before.description.as_deref().unwrap_or_default();
    let is_described = before.description.is_some() || before.participant_count.is_some();
    payload
        .description
        .take_if(|it| is_described && it == description);
    payload
        .is_announce
        .take_if(|it| before.is_announce == Some(*it));
    payload
        .is_locked
        .take_if(|it| before.is_locked == Some(*it));
    // Messages that stay are no news where it was not known.
    let timer = before.disappearing_seconds.unwrap_or(0);
    payload.disappearing_seconds.take_if(|it| *it == timer);
    payload
        .new_invite_link
        .take_if(|it| before.invite_code.is_some() && before.invite_code == invite_code(it));
}

/// Whether a payload says anything but which group it is about.
pub(super) fn has_news(payload: &GroupPayload) -> bool {
    let lists = [
        &payload.join,
        &payload.leave,
        &payload.promote,
        &payload.demote,
    ];
    payload.subject.is_some()
        || payload.description.is_some()
        || payload.is_announce.is_some()
        || payload.is_locked.is_some()
        || payload.disappearing_seconds.is_some()
        || payload.new_invite_link.is_some()
        || lists.into_iter().flatten().any(|people| !people.is_empty())
}

/// The members that a change names.
struct Members<'a> {
    id: i64,
    own: Option<&'a Account>,
    /// Whether the account was in the group.
    was_in: bool,
    /// Whether all members are stored.
    is_known: bool,
    count_change: i64,
    /// Whether the account is in the group now, where the change says so.
    is_in: Option<bool>,
    now_ms: i64,
}

impl Members<'_> {
    /// Stores the members, and takes those out of the payload of whom it says nothing new.
    async fn write(&mut self, owned: &mut Owned<'_>, payload: &mut GroupPayload) -> Result<()> {
        let mut join = Vec::new();
        for person in payload.join.take().into_iter().flatten() {
            if self.joined(owned, &person).await? {
                join.push(person);
            }
        }
        let mut leave = Vec::new();
        for person in payload.leave.take().into_iter().flatten() {
            if self.left(owned, &person).await? {
                leave.push(person);
            }
        }
        let mut promote = Vec::new();
        for person in payload.promote.take().into_iter().flatten() {
            if self.has_role(owned, &person, true).await? {
                promote.push(person);
            }
        }
        let mut demote = Vec::new();
        for person in payload.demote.take().into_iter().flatten() {
            if self.has_role(owned, &person, false).await? {
                demote.push(person);
            }
        }
        let some = |people: Vec<String>| (!people.is_empty()).then_some(people);
        payload.join = some(join);
        payload.leave = some(leave);
        payload.promote = some(promote);
        payload.demote = some(demote);
        Ok(())
    }

    async fn joined(&mut self, owned: &mut Owned<'_>, person: &str) -> Result<bool> {
        let Some(identity) = identity_of(owned, person, self.now_ms).await? else {
            return Ok(false);
        };
        let has_entered = is_own(self.own, person) && !self.was_in;
        if is_own(self.own, person) {
            self.is_in = Some(true);
        }
        if owned.group_role(self.id, identity).await?.is_some() {
            return Ok(has_entered);
        }
        self.put(owned, identity, GroupRole::Member).await?;
        self.count_change += 1;
        Ok(true)
    }

    async fn left(&mut self, owned: &mut Owned<'_>, person: &str) -> Result<bool> {
        let Some(identity) = identity_of(owned, person, self.now_ms).await? else {
            return Ok(false);
        };
        let was_member = owned.remove_group_member(self.id, identity).await?;
        self.count_change -= i64::from(was_member);
        if is_own(self.own, person) {
            self.is_in = Some(false);
            return Ok(self.was_in);
        }
        Ok(was_member || !self.is_known)
    }

    async fn has_role(
        &mut self,
        owned: &mut Owned<'_>,
        person: &str,
        is_admin: bool,
    ) -> Result<bool> {
        let Some(identity) = identity_of(owned, person, self.now_ms).await? else {
            return Ok(false);
        };
        let role = owned.group_role(self.id, identity).await?;
        if role.is_some_and(|role| GroupRole::of(&role).is_admin() == is_admin) {
            return Ok(false);
        }
        let role = if is_admin {
            GroupRole::Admin
        } else {
            GroupRole::Member
        };
        self.put(owned, identity, role).await?;
        Ok(true)
    }

    async fn put(&self, owned: &mut Owned<'_>, identity: i64, role: GroupRole) -> Result<()> {
        owned
            .upsert_group_member(self.id, identity, role.as_str(), None, self.now_ms)
            .await
    }
}
