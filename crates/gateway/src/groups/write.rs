//! Writing what is learned of a group, and telling what of it is new.

use std::collections::{HashMap, HashSet};

use wagate_engine::{GroupChange, GroupPerson, GroupSnapshot};
use wagate_model::{EventKind, GroupPayload, GroupRole, Jid, invite_code};
use wagate_store::{Account, GroupFacts, GroupMemberRecord, GroupRecord, Owned, Result};

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
fn forget_known_settings(payload: &mut GroupPayload, before: Option<&GroupRecord>) {
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
    payload
        .new_invite_link
        .take_if(|it| before.invite_code.is_some() && before.invite_code == invite_code(it));
}

/// Whether a payload says anything but which group it is about.
fn has_news(payload: &GroupPayload) -> bool {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wagate_store::testing::{self, TestStore};
    use wagate_store::{EventFilter, Fence, StoreError};

    use super::*;

    const GROUP: &str = "1203@g.us";

    struct World {
        store: TestStore,
        organization: wagate_model::OrganizationId,
        session: wagate_model::SessionId,
        fence: Fence,
    }

    fn own() -> Account {
        Account {
            jid: "15550000001@s.whatsapp.net".into(),
            lid: Some("1@lid".into()),
            phone_number: None,
            push_name: None,
        }
    }

    async fn world() -> World {
        let store = testing::store().await;
        let organization = store.organization().await;
        let session = store.session(organization).await;
        let fence = store.claim(session).await;
        World {
            store,
            organization,
            session,
            fence,
        }
    }

    fn person(lid: &str, role: GroupRole) -> GroupPerson {
        let digits = lid.split('@').next().unwrap();
        GroupPerson {
            person: lid.parse().unwrap(),
            alias: format!("1555000000{digits}@s.whatsapp.net").parse().ok(),
            role,
            tag: None,
        }
    }

    fn snapshot(subject: &str, members: Vec<GroupPerson>) -> GroupSnapshot {
        GroupSnapshot {
            group: GROUP.parse().unwrap(),
            subject: subject.into(),
            description: String::new(),
            owner: "1@lid".parse().ok(),
            created_at_ms: Some(1_000),
            is_announce: false,
            is_locked: false,
            size: None,
            members,
            is_complete: true,
            is_approval_required: false,
            is_community: false,
            community: None,
            is_community_announcements: false,
        }
    }

    fn change(payload: GroupPayload, is_about_members: bool) -> GroupChange {
        GroupChange {
            group: GROUP.parse().unwrap(),
            payload: GroupPayload {
                group_jid: GROUP.into(),
                ..payload
            },
            is_about_members,
            is_deleted: false,
            aliases: Vec::new(),
        }
    }

    impl World {
        async fn change(&self, change: GroupChange) -> bool {
            let fence = self.fence.clone();
            self.store
                .write::<_, StoreError, _>(self.organization, move |tx| {
                    Box::pin(async move {
                        let mut owned = tx.owned(&fence).await?;
                        store_change(&mut owned, &change, Some(&own()), 5).await
                    })
                })
                .await
                .unwrap()
        }

        async fn snapshot(&self, snapshot: GroupSnapshot) {
            let fence = self.fence.clone();
            let arrival = Arrival {
                tells_entry: true,
                ..Arrival::default()
            };
            self.store
                .write::<_, StoreError, _>(self.organization, move |tx| {
                    Box::pin(async move {
                        let mut owned = tx.owned(&fence).await?;
                        store_snapshot(&mut owned, &snapshot, &arrival, Some(&own()), 5).await
                    })
                })
                .await
                .unwrap();
        }

        /// What was told so far, without the group and the time.
        async fn told(&self) -> Vec<(String, Value)> {
            let mut tx = self.store.read().await.unwrap();
            let filter = EventFilter::default();
            let events = tx
                .events_after(self.organization, None, &filter, 100)
                .await
                .unwrap();
            let shown = events.into_iter().map(|(_, json)| {
                let mut event: Value = serde_json::from_str(&json).unwrap();
                let mut payload = event["payload"].take();
                let fields = payload.as_object_mut().unwrap();
                fields.remove("groupJid");
                fields.remove("timestamp");
                (event["event"].as_str().unwrap().to_owned(), payload)
            });
            shown.collect()
        }

        async fn members(&self) -> Vec<(String, String)> {
            let mut tx = self.store.read().await.unwrap();
            let members = tx
                .group_members(self.organization, self.session, GROUP)
                .await
                .unwrap();
            let members = members
                .into_iter()
                .map(|member| (member.lid.unwrap_or_default(), member.role));
            members.collect()
        }

        async fn group(&self) -> GroupRecord {
            let mut tx = self.store.read().await.unwrap();
            let found = tx.group(self.organization, self.session, GROUP).await;
            found.unwrap().unwrap()
        }
    }

    fn people(all: &[&str]) -> Option<Vec<String>> {
        Some(all.iter().map(|&one| one.to_owned()).collect())
    }

    fn participant(payload: Value) -> (String, Value) {
        ("group.participant".to_owned(), payload)
    }

    #[tokio::test]
    async fn each_change_is_told_once_whichever_way_it_is_learned() {
        use GroupRole::{Admin, Member, SuperAdmin};
        let world = world().await;
        let two = || vec![person("1@lid", SuperAdmin), person("2@lid", Member)];
        world.snapshot(snapshot("Crew", two())).await;
        world.snapshot(snapshot("Crew", two())).await;
        let mut expected = vec![participant(json!({ "join": ["1@lid"], "subject": "Crew" }))];
        assert_eq!(world.told().await, expected);
        assert_eq!(world.group().await.participant_count, Some(2));

        let joined = || {
            let payload = GroupPayload {
                join: people(&["2@lid", "3@lid"]),
                ..GroupPayload::default()
            };
            change(payload, true)
        };
        for _ in 0..2 {
            assert!(!world.change(joined()).await);
        }
        expected.push(participant(json!({ "join": ["3@lid"] })));
        assert_eq!(world.told().await, expected);

        // By the phone number it is the same person.
        let mut promoted = change(
            GroupPayload {
                promote: people(&["15550000002@s.whatsapp.net", "1@lid"]),
                ..GroupPayload::default()
            },
            true,
        );
        promoted.aliases = vec![(
            "15550000002@s.whatsapp.net".parse().unwrap(),
            "2@lid".parse().unwrap(),
        )];
        world.change(promoted.clone()).await;
        world.change(promoted).await;
        expected.push(participant(
            json!({ "promote": ["15550000002@s.whatsapp.net"] }),
        ));
        assert_eq!(world.told().await, expected);

        let mut now = snapshot(
            "Crew",
            vec![
                person("1@lid", SuperAdmin),
                person("2@lid", Member),
                person("4@lid", Admin),
            ],
        );
        now.is_announce = true;
        world.snapshot(now.clone()).await;
        world.snapshot(now).await;
        expected.extend([
            ("group.update".to_owned(), json!({ "isAnnounce": true })),
            participant(json!({ "join": ["4@lid"] })),
            participant(json!({ "leave": ["3@lid"] })),
            participant(json!({ "demote": ["2@lid"] })),
        ]);
        assert_eq!(world.told().await, expected);
        let stored = [
            ("1@lid", "superadmin"),
            ("2@lid", "member"),
            ("4@lid", "admin"),
        ];
        let stored = stored.map(|(lid, role)| (lid.to_owned(), role.to_owned()));
        assert_eq!(world.members().await, stored);
    }

    #[tokio::test]
    async fn settings_that_are_so_already_are_not_told() {
        let world = world().await;
        world
            .snapshot(snapshot("Crew", vec![person("1@lid", GroupRole::Admin)]))
            .await;
        let link = "https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN";
        for _ in 0..2 {
            let payload = GroupPayload {
                subject: Some("Crew".into()),
                description: Some("Boats".into()),
                is_announce: Some(false),
                is_locked: Some(true),
                new_invite_link: Some(link.into()),
                ..GroupPayload::default()
            };
            world.change(change(payload, false)).await;
        }
        let told = world.told().await.split_off(1);
        let update = json!({ "description": "Boats", "isLocked": true, "newInviteLink": link });
        assert_eq!(told, [("group.update".to_owned(), update)]);
        let group = world.group().await;
        assert_eq!(group.is_locked, Some(true));
        assert_eq!(group.invite_code.as_deref(), Some("HG4pQ2mRz7c8KdT1vWxYbN"));
    }

    #[tokio::test]
    async fn the_account_leaves_and_comes_back() {
        let world = world().await;
        let members = || vec![person("1@lid", GroupRole::Member)];
        world.snapshot(snapshot("Crew", members())).await;
        let left = || {
            let payload = GroupPayload {
                leave: people(&["1@lid"]),
                ..GroupPayload::default()
            };
            change(payload, true)
        };
        for _ in 0..2 {
            assert!(!world.change(left()).await);
        }
        assert!(world.group().await.is_left);
        let late = GroupPayload {
            subject: Some("Late".into()),
            ..GroupPayload::default()
        };
        assert!(!world.change(change(late, false)).await);
        assert!(world.group().await.is_left);
        let back = GroupPayload {
            join: people(&["15550000001@s.whatsapp.net"]),
            ..GroupPayload::default()
        };
        // Who else is in it now has to be asked.
        assert!(world.change(change(back, true)).await);
        assert!(!world.group().await.is_left);
        let told: Vec<_> = world.told().await.split_off(1);
        let expected = [
            participant(json!({ "leave": ["1@lid"] })),
            ("group.update".to_owned(), json!({ "subject": "Late" })),
            participant(json!({ "join": ["15550000001@s.whatsapp.net"] })),
        ];
        assert_eq!(told, expected);
        let mut over = change(GroupPayload::default(), false);
        over.is_deleted = true;
        world.change(over.clone()).await;
        world.change(over).await;
        assert!(world.group().await.is_left);
        assert_eq!(world.told().await.len(), 5);
    }

    #[tokio::test]
    async fn a_group_that_is_not_known_is_asked_for() {
        let world = world().await;
        let payload = GroupPayload {
            leave: people(&["9@lid"]),
            ..GroupPayload::default()
        };
        assert!(world.change(change(payload, true)).await);
        let expected = [participant(json!({ "leave": ["9@lid"] }))];
        assert_eq!(world.told().await, expected);
        // What was there before is no news.
        world
            .snapshot(snapshot("Crew", vec![person("1@lid", GroupRole::Member)]))
            .await;
        assert_eq!(world.told().await, expected);
    }
}
