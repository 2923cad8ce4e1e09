//! Groups: made, joined and left, their settings and members.
//!
//! What WhatsApp has taken is stored and told at once; when it comes back as a notification, it
//! is known already. Where it cannot be stored, the request has succeeded all the same, and the
//! group is asked for in the background.

mod outcomes;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wagate_cluster::{GroupReply, GroupRequest, LiveReply, MemberChange, Refusal};
use wagate_engine::{GroupChange, GroupSetting, GroupSnapshot, MemberAction, RequestError};
use wagate_model::{
    GroupInfo, GroupJoinRequest, GroupPayload, GroupPreview, Jid, MemberAddMode, UpdateGroupInput,
};
use wagate_store::{Account, StoreError};

use self::outcomes::{aliases, done_people, is_permitted, refusal_of_members};
use super::{Live, LiveResult};
use crate::groups::{self, Arrival, own_address};
use crate::inbound::both_addresses;

/// How long notifications may take to be stored before a change of the account's own is.
const SETTLE: Duration = Duration::from_secs(5);

impl Live<'_> {
    pub(super) async fn groups(&self, request: GroupRequest) -> LiveResult {
        match request {
            GroupRequest::Create { name, people } => self.create_group(&name, people).await,
            GroupRequest::Update { group, settings } => self.update_group(&group, settings).await,
            GroupRequest::Invite { group, is_renewed } => {
                self.group_invite(&group, is_renewed).await
            }
            GroupRequest::Members {
                group,
                change,
                people,
            } => self.change_members(&group, change, &people).await,
            GroupRequest::Answer {
                group,
                is_granted,
                people,
            } => self.answer_requests(&group, is_granted, people).await,
            GroupRequest::Leave { group } => self.leave_group(&group).await,
            GroupRequest::Join { code } => self.join_group(&code).await,
            GroupRequest::Preview { code } => self.preview_invite(&code).await,
            GroupRequest::Requests { group } => self.join_requests(&group).await,
            GroupRequest::CancelRequest { group } => {
                self.done(self.connection.cancel_join_request(&group).await)
            }
            GroupRequest::Picture { group, jpeg } => self.set_picture(&group, jpeg).await,
        }
    }

    async fn create_group(&self, name: &str, mut people: Vec<Jid>) -> LiveResult {
        let own = self.session.account();
        people.retain(|person| !is_own(own.as_ref(), person));
        if people.is_empty() {
            return Err(invalid(
                "participants",
                "must name somebody beside the account",
            ));
        }
        let turn = self.session.groups.turn();
        let made = match self.connection.create_group(name, &people).await {
            Ok(made) => made,
            Err(RequestError::Refused { code: 400 | 406 }) => {
                return Err(invalid("participants", "are not accepted by WhatsApp"));
            }
            Err(error) => return Err(self.refusal(&error)),
        };
        let info = group_info(&made);
        self.store_entry(made, turn).await;
        Ok(LiveReply::Groups(GroupReply::Created(info)))
    }

    /// Applies settings one after the other; what WhatsApp has taken is kept, whatever becomes
    /// of the rest.
    async fn update_group(&self, group: &Jid, settings: UpdateGroupInput) -> LiveResult {
        let mut taken = GroupPayload::default();
        let outcome = self.apply_settings(group, settings, &mut taken).await;
        if taken != GroupPayload::default() {
            self.store_own(group, taken, false, Vec::new()).await;
        }
        self.done(outcome)
    }

    async fn apply_settings(
        &self,
        group: &Jid,
        settings: UpdateGroupInput,
        taken: &mut GroupPayload,
    ) -> Result<(), RequestError> {
        if let Some(subject) = settings.subject {
            self.set(group, GroupSetting::Subject(subject.clone()))
                .await?;
            taken.subject = Some(subject);
        }
        if let Some(text) = settings.description {
            self.set(group, GroupSetting::Description(text.clone()))
                .await?;
            taken.description = Some(text);
        }
        if let Some(is_announce) = settings.announce {
            self.set(group, GroupSetting::Announce(is_announce)).await?;
            taken.is_announce = Some(is_announce);
        }
        if let Some(is_locked) = settings.locked {
            self.set(group, GroupSetting::Locked(is_locked)).await?;
            taken.is_locked = Some(is_locked);
        }
        if let Some(is_required) = settings.approval_required {
            self.set(group, GroupSetting::ApprovalRequired(is_required))
                .await?;
        }
        if let Some(mode) = settings.member_add_mode {
            let is_admins = mode == MemberAddMode::Admins;
            self.set(group, GroupSetting::AdminsAddMembers(is_admins))
                .await?;
        }
        if let Some(seconds) = settings.disappearing_seconds {
            let seconds = u32::try_from(seconds).unwrap_or(0);
            self.set(group, GroupSetting::DisappearingSeconds(seconds))
                .await?;
            taken.disappearing_seconds = Some(i64::from(seconds));
        }
        Ok(())
    }

    async fn set(&self, group: &Jid, setting: GroupSetting) -> Result<(), RequestError> {
        match self.connection.set_group(group, &setting).await {
            // It is so already.
            Err(RequestError::Refused { code: 304 }) => Ok(()),
            outcome => outcome,
        }
    }

    async fn group_invite(&self, group: &Jid, is_renewed: bool) -> LiveResult {
        let link = self.connection.group_invite(group, is_renewed).await;
        let link = link.map_err(|error| self.refusal(&error))?;
        if is_renewed {
            let payload = GroupPayload {
                new_invite_link: Some(link.clone()),
                ..GroupPayload::default()
            };
            self.store_own(group, payload, false, Vec::new()).await;
        }
        Ok(LiveReply::Groups(GroupReply::Invite(link)))
    }

    async fn change_members(
        &self,
        group: &Jid,
        change: MemberChange,
        people: &[Jid],
    ) -> LiveResult {
        let action = match change {
            MemberChange::Add => MemberAction::Add,
            MemberChange::Remove => MemberAction::Remove,
            MemberChange::Promote => MemberAction::Promote,
            MemberChange::Demote => MemberAction::Demote,
        };
        let answers = self.connection.change_members(group, action, people).await;
        let answers = answers.map_err(|error| self.refusal(&error))?;
        let done = Some(done_people(&answers)).filter(|people| !people.is_empty());
        if done.is_some() {
            let mut payload = GroupPayload::default();
            match change {
                MemberChange::Add => payload.join = done,
                MemberChange::Remove => payload.leave = done,
                MemberChange::Promote => payload.promote = done,
                MemberChange::Demote => payload.demote = done,
            }
            self.store_own(group, payload, true, aliases(&answers))
                .await;
        }
        match refusal_of_members(change, &answers) {
            Some(refusal) => Err(refusal),
            None => Ok(LiveReply::Done),
        }
    }

    async fn answer_requests(
        &self,
        group: &Jid,
        is_granted: bool,
        mut people: Vec<Jid>,
    ) -> LiveResult {
        if people.is_empty() {
            let requests = self.connection.join_requests(group).await;
            let requests = requests.map_err(|error| self.refusal(&error))?;
            people.extend(requests.into_iter().map(|request| request.person));
        }
        if people.is_empty() {
            return Ok(LiveReply::Done);
        }
        let action = if is_granted {
            MemberAction::Approve
        } else {
            MemberAction::Reject
        };
        let answers = self.connection.change_members(group, action, &people).await;
        let answers = answers.map_err(|error| self.refusal(&error))?;
        let joined = done_people(&answers);
        if is_granted && !joined.is_empty() {
            let payload = GroupPayload {
                join: Some(joined),
                ..GroupPayload::default()
            };
            self.store_own(group, payload, true, aliases(&answers))
                .await;
        }
        if is_permitted(&answers) {
            Ok(LiveReply::Done)
        } else {
            Err(Refusal::Forbidden)
        }
    }

    async fn leave_group(&self, group: &Jid) -> LiveResult {
        match self.connection.leave_group(group).await {
            // Whoever is not in it may not leave it, and need not.
            Ok(()) | Err(RequestError::Refused { code: 401 | 403 }) => {}
            Err(error) => return Err(self.refusal(&error)),
        }
        if let Some(own) = self.session.account() {
            let payload = GroupPayload {
                leave: Some(vec![own_address(&own).to_owned()]),
                ..GroupPayload::default()
            };
            self.store_own(group, payload, true, Vec::new()).await;
        }
        Ok(LiveReply::Done)
    }

    async fn join_group(&self, code: &str) -> LiveResult {
        let joined = match self.connection.join_group(code).await {
            Ok(joined) => joined,
            Err(error) => return Err(self.invite_refusal(&error)),
        };
        if !joined.is_pending {
            let turn = self.session.groups.turn();
            match self.connection.group(&joined.group).await {
                Ok(snapshot) => self.store_entry(snapshot, turn).await,
                Err(_) => self.ask_later(&joined.group),
            }
        }
        Ok(LiveReply::Groups(GroupReply::Joined(joined.group)))
    }

    async fn preview_invite(&self, code: &str) -> LiveResult {
        match self.connection.invite_preview(code).await {
            Ok(found) => {
                let info = group_info(&found);
                Ok(LiveReply::Groups(GroupReply::Preview(GroupPreview {
                    approval_required: found.is_approval_required,
                    created_at_wa: found.created_at_ms,
                    description: info.description,
                    group_jid: info.group_jid,
                    owner_jid: info.owner_jid,
                    participant_count: info.participants,
                    subject: found.subject,
                })))
            }
            Err(error) => Err(self.invite_refusal(&error)),
        }
    }

    async fn join_requests(&self, group: &Jid) -> LiveResult {
        let found = self.connection.join_requests(group).await;
        let found = found.map_err(|error| self.refusal(&error))?;
        let shown = found.into_iter().map(|request| {
            let addresses = both_addresses(&request.person, request.alias.as_ref());
            GroupJoinRequest {
                jid: request.person.to_string(),
                lid: addresses.lid,
                phone_jid: addresses.phone,
                requested_at: request.requested_at_ms,
            }
        });
        Ok(LiveReply::Groups(GroupReply::Requests(shown.collect())))
    }

    async fn set_picture(&self, group: &Jid, jpeg: Option<String>) -> LiveResult {
        let jpeg = jpeg.map(|text| BASE64_STANDARD.decode(text)).transpose();
        let jpeg = jpeg.map_err(|_| invalid("jpeg", "must be base64"))?;
        match self.connection.set_group_picture(group, jpeg).await {
            Err(RequestError::Refused { code: 400 | 406 }) => {
                Err(invalid("jpeg", "is not accepted by WhatsApp"))
            }
            outcome => self.done(outcome),
        }
    }

    /// What it means that an invite was not taken.
    pub(super) fn invite_refusal(&self, error: &RequestError) -> Refusal {
        match error {
            RequestError::Refused {
                code: 400 | 404 | 406 | 410,
            } => invalid("invite", "leads to no group, or is no longer valid"),
            RequestError::Refused { code: 405 } => Refusal::Forbidden,
            error => self.refusal(error),
        }
    }

    /// Waits for what WhatsApp has told so far. Else the notification of an earlier change of
    /// the account could come behind a later one, and look like news.
    async fn settle(&self) {
        let settled = tokio::time::timeout(SETTLE, self.connection.settled());
        if settled.await.is_err() {
            tracing::debug!(session.id = %self.session.id(), "notifications are behind");
        }
    }

    /// Stores a group that the account has come into by its own doing.
    async fn store_entry(&self, snapshot: GroupSnapshot, turn: u64) {
        self.settle().await;
        let own = self.session.account();
        let arrival = Arrival {
            tells_entry: true,
            is_new: false,
            sender: own.as_ref().map(|own| own_address(own).to_owned()),
            timestamp_ms: None,
        };
        let (group, is_complete) = (snapshot.group.clone(), snapshot.is_complete);
        let stored = groups::store_group(self.cx, self.session, snapshot, turn, &arrival).await;
        self.note_stored(&group, stored);
        if !is_complete {
            self.ask_later(&group);
        }
    }

    /// Stores what the account has changed in a group, and tells it where it is new.
    async fn store_own(
        &self,
        group: &Jid,
        payload: GroupPayload,
        is_about_members: bool,
        aliases: Vec<(Jid, Jid)>,
    ) {
        self.settle().await;
        let (own, now_ms) = (self.session.account(), self.cx.now_ms());
        let change = GroupChange {
            group: group.clone(),
            payload: GroupPayload {
                group_jid: group.to_string(),
                sender: own.as_ref().map(|own| own_address(own).to_owned()),
                timestamp: Some(now_ms),
                ..payload
            },
            is_about_members,
            is_deleted: false,
            aliases,
        };
        let notes = self.session.groups.clone();
        let stored = self.session.persist(|| {
            let (change, own, notes) = (change.clone(), own.clone(), notes.clone());
            self.session
                .commit::<_, StoreError, _>(&self.cx.store, move |owned| {
                    let (change, own, notes) = (change.clone(), own.clone(), notes.clone());
                    Box::pin(async move {
                        notes.note_change(&change.group);
                        let is_stale =
                            groups::store_change(owned, &change, own.as_ref(), now_ms).await?;
                        if is_stale {
                            notes.note_stale(Some(&change.group));
                        }
                        Ok(())
                    })
                })
        });
        let stored = stored.await;
        self.note_stored(group, stored);
        groups::tend(self.cx, self.session);
    }

    fn note_stored(&self, group: &Jid, stored: Result<(), StoreError>) {
        if let Err(error) = stored {
            tracing::warn!(session.id = %self.session.id(), error = %error, "a group's change was not stored yet");
            self.ask_later(group);
        }
    }

    fn ask_later(&self, group: &Jid) {
        self.session.groups.note_stale(Some(group));
        groups::tend(self.cx, self.session);
    }
}

fn invalid(field: &str, message: &str) -> Refusal {
    Refusal::Invalid {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

fn is_own(own: Option<&Account>, person: &Jid) -> bool {
    own.is_some_and(|own| own.jid == person.as_str() || own.lid.as_deref() == Some(person.as_str()))
}

/// A group as those who made it are told of it.
pub(super) fn group_info(snapshot: &GroupSnapshot) -> GroupInfo {
    let told = u32::try_from(snapshot.members.len()).unwrap_or(u32::MAX);
    let size = snapshot.size.unwrap_or(0).max(told);
    GroupInfo {
        description: Some(snapshot.description.clone()).filter(|text| !text.is_empty()),
        group_jid: snapshot.group.to_string(),
        is_announce: Some(snapshot.is_announce),
        is_locked: Some(snapshot.is_locked),
        owner_jid: snapshot.owner.as_ref().map(Jid::to_string),
        participants: (size > 0).then_some(i64::from(size)),
        subject: Some(snapshot.subject.clone()),
    }
}
