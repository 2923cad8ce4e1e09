//! Groups: their settings, members and invites.

use std::future::Future;
use std::pin::Pin;

use wagate_model::{Jid, JidKind};
use whatsapp_rust::features::{
    GroupCreateOptions, GroupDescription, GroupError, GroupParticipantOptions, GroupSubject,
    JoinGroupResult, MemberAddMode, MembershipApprovalMode, ParticipantChangeResponse,
    PreviousDescription,
};
use whatsapp_rust::types::message::AddressingMode;
use whatsapp_rust::wacore::iq::groups::GroupJoinError;
use whatsapp_rust::{Client, Jid as LibraryJid};

use super::Connection;
use super::actions::request_error;
use super::hook::{other_address, own};
use crate::convert::{self, library_jid, model_jid};
use crate::{
    GroupSetting, GroupSnapshot, JoinRequest, JoinedGroup, MemberAction, MemberOutcome,
    RequestError,
};

/// What the library answers; behind a pointer, as its futures are nested deeply.
type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, GroupError>> + Send + 'a>>;

/// How often a description is changed anew after somebody else changed it first.
const DESCRIPTION_ATTEMPTS: u32 = 3;

impl Connection {
    /// All groups that the account is in, with their members.
    pub async fn groups(&self) -> Result<Vec<GroupSnapshot>, RequestError> {
        let client = self.logged_in()?;
        let asking: Asking<'_, _> =
            Box::pin(async move { client.groups().get_participating().await });
        let found = asking.await.map_err(|error| failure(&error))?;
        Ok(found.values().filter_map(convert::group).collect())
    }

    /// A group with its members.
    ///
    /// Fails with code 404 where there is none, and 403 where the account is not in it.
    pub async fn group(&self, group: &Jid) -> Result<GroupSnapshot, RequestError> {
        let client = self.logged_in()?;
        let group = library_jid(group);
        let asking: Asking<'_, _> =
            Box::pin(async move { client.groups().get_metadata(&group).await });
        let found = asking.await.map_err(|error| failure(&error))?;
        convert::group(&found).ok_or(RequestError::Failed)
    }

    /// Makes a group of the account and others; who cannot be invited may be left out.
    pub async fn create_group(
        &self,
        subject: &str,
        people: &[Jid],
    ) -> Result<GroupSnapshot, RequestError> {
        let client = self.logged_in()?;
        let mut participants = Vec::with_capacity(people.len());
        for person in people {
            let address = invited_as(client, person).await;
            participants.push(GroupParticipantOptions::new(address));
        }
        let options = GroupCreateOptions::new(subject).with_participants(participants);
        let asking: Asking<'_, _> =
            Box::pin(async move { client.groups().create_group(options).await });
        let made = asking.await.map_err(|error| failure(&error))?;
        convert::group(&made.metadata).ok_or(RequestError::Failed)
    }

    /// Changes one of a group's settings.
    pub async fn set_group(&self, group: &Jid, setting: &GroupSetting) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let mut attempts = DESCRIPTION_ATTEMPTS;
        loop {
            attempts -= 1;
            match set(client, library_jid(group), setting.clone()).await {
                Err(GroupError::DescriptionConflict) if attempts > 0 => {}
                outcome => return outcome.map_err(|error| failure(&error)),
            }
        }
    }

    /// A group's invite link; a new one, where the old one is to be void.
    pub async fn group_invite(
        &self,
        group: &Jid,
        is_renewed: bool,
    ) -> Result<String, RequestError> {
        let client = self.logged_in()?;
        let group = library_jid(group);
        let asking: Asking<'_, _> =
            Box::pin(async move { client.groups().get_invite_link(&group, is_renewed).await });
        asking.await.map_err(|error| failure(&error))
    }

    /// Does something to members of a group; tells what became of each.
    pub async fn change_members(
        &self,
        group: &Jid,
        action: MemberAction,
        people: &[Jid],
    ) -> Result<Vec<MemberOutcome>, RequestError> {
        let client = self.logged_in()?;
        let mut addresses = Vec::with_capacity(people.len());
        for person in people {
            addresses.push(match action {
                MemberAction::Add => invited_as(client, person).await,
                _ => member_as(client, group, person).await,
            });
        }
        let answers = change(client, library_jid(group), action, addresses).await;
        let answers = answers.map_err(|error| failure(&error))?;
        Ok(answers.iter().filter_map(outcome).collect())
    }

    /// Who asks to join a group.
    pub async fn join_requests(&self, group: &Jid) -> Result<Vec<JoinRequest>, RequestError> {
        let client = self.logged_in()?;
        let group = library_jid(group);
        let asking: Asking<'_, _> =
            Box::pin(async move { client.groups().get_membership_requests(&group).await });
        let found = asking.await.map_err(|error| failure(&error))?;
        let mut requests = Vec::with_capacity(found.len());
        for request in found {
            let Some(person) = model_jid(&request.jid) else {
                continue;
            };
            requests.push(JoinRequest {
                alias: other_address(client, &person).await,
                person,
                requested_at_ms: request.request_time.and_then(convert::seconds_to_ms),
            });
        }
        Ok(requests)
    }

    /// Takes the account's own request to join a group back; code 404 where there is none.
    pub async fn cancel_join_request(&self, group: &Jid) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let own = own(client);
        let person = own.lid.or(own.phone).ok_or(RequestError::NotConnected)?;
        let (group, person) = (library_jid(group), library_jid(&person));
        let asking: Asking<'_, _> = Box::pin(async move {
            let groups = client.groups();
            groups
                .cancel_membership_requests(&group, std::slice::from_ref(&person))
                .await
        });
        let answers = asking.await.map_err(|error| failure(&error))?;
        let refused = answers
            .iter()
            .filter_map(outcome)
            .find_map(|one| one.refused);
        match refused {
            Some(code) => Err(RequestError::Refused { code }),
            None => Ok(()),
        }
    }

    /// Sets a group's picture, a JPEG, or removes it.
    pub async fn set_group_picture(
        &self,
        group: &Jid,
        jpeg: Option<Vec<u8>>,
    ) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let group = library_jid(group);
        let asking: Asking<'_, ()> = Box::pin(async move {
            let groups = client.groups();
            match jpeg {
                Some(jpeg) => groups.set_profile_picture(group, jpeg).await.map(drop),
                None => groups.remove_profile_picture(group).await.map(drop),
            }
        });
        asking.await.map_err(|error| failure(&error))
    }

    /// Leaves a group.
    pub async fn leave_group(&self, group: &Jid) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let group = library_jid(group);
        let asking: Asking<'_, _> = Box::pin(async move { client.groups().leave(&group).await });
        asking.await.map_err(|error| failure(&error))
    }

    /// Joins a group by the code of its invite; fine where the account is in it already.
    pub async fn join_group(&self, code: &str) -> Result<JoinedGroup, RequestError> {
        let client = self.logged_in()?;
        let asked = code.to_owned();
        let asking: Asking<'_, _> =
            Box::pin(async move { client.groups().join_with_invite_code(&asked).await });
        match asking.await {
            Ok(joined) => {
                let is_pending = matches!(joined, JoinGroupResult::PendingApproval(_));
                let group = model_jid(joined.group_jid()).ok_or(RequestError::Failed)?;
                Ok(JoinedGroup { group, is_pending })
            }
            Err(error) => match failure(&error) {
                RequestError::Refused { code: refused } if is_member_already(refused) => {
                    let group = self.invite_preview(code).await?.group;
                    Ok(JoinedGroup {
                        group,
                        is_pending: false,
                    })
                }
                error => Err(error),
            },
        }
    }

    /// The group that the code of an invite leads to.
    pub async fn invite_preview(&self, code: &str) -> Result<GroupSnapshot, RequestError> {
        let client = self.logged_in()?;
        let code = code.to_owned();
        let asking: Asking<'_, _> =
            Box::pin(async move { client.groups().get_invite_info(&code).await });
        let found = asking.await.map_err(|error| failure(&error))?;
        convert::group(&found).ok_or(RequestError::Failed)
    }
}

fn is_member_already(code: u16) -> bool {
    matches!(
        GroupJoinError::from_code(code),
        GroupJoinError::AlreadyMember | GroupJoinError::Conflict
    )
}

#[inline(never)]
fn set(client: &Client, group: LibraryJid, setting: GroupSetting) -> Asking<'_, ()> {
    Box::pin(async move {
        let groups = client.groups();
        match setting {
            GroupSetting::Subject(subject) => {
                // Its length was checked in characters, as official clients count.
                let subject = GroupSubject::new_unchecked(subject);
                groups.set_subject(group, subject).await
            }
            GroupSetting::Description(text) => {
                let text = Some(text).filter(|text| !text.is_empty());
                let text = text.map(GroupDescription::new_unchecked);
                let previous = PreviousDescription::Resolve;
                groups.set_description(group, text, previous).await
            }
            GroupSetting::Announce(is_so) => groups.set_announce(group, is_so).await,
            GroupSetting::Locked(is_so) => groups.set_locked(group, is_so).await,
            GroupSetting::ApprovalRequired(is_so) => {
                let mode = if is_so {
                    MembershipApprovalMode::On
                } else {
                    MembershipApprovalMode::Off
                };
                groups.set_membership_approval(group, mode).await
            }
            GroupSetting::AdminsAddMembers(is_so) => {
                let mode = if is_so {
                    MemberAddMode::AdminAdd
                } else {
                    MemberAddMode::AllMemberAdd
                };
                groups.set_member_add_mode(group, mode).await
            }
            GroupSetting::DisappearingSeconds(seconds) => {
                groups.set_ephemeral(group, seconds).await
            }
        }
    })
}

#[inline(never)]
fn change(
    client: &Client,
    group: LibraryJid,
    action: MemberAction,
    people: Vec<LibraryJid>,
) -> Asking<'_, Vec<ParticipantChangeResponse>> {
    Box::pin(async move {
        let groups = client.groups();
        match action {
            MemberAction::Add => groups.add_participants(group, &people).await,
            MemberAction::Remove => groups.remove_participants(group, &people).await,
            MemberAction::Promote => groups.promote_participants(group, &people).await,
            MemberAction::Demote => groups.demote_participants(group, &people).await,
            MemberAction::Approve => groups.approve_membership_requests(group, &people).await,
            MemberAction::Reject => groups.reject_membership_requests(group, &people).await,
        }
    })
}

/// The address by which a person is invited: the phone number where it is known, because for
/// a LID WhatsApp wants to be told the number as well.
async fn invited_as(client: &Client, person: &Jid) -> LibraryJid {
    match person.kind() {
        JidKind::Lid => {
            let phone = other_address(client, person).await;
            library_jid(phone.as_ref().unwrap_or(person))
        }
        _ => library_jid(person),
    }
}

/// The address by which a group knows a person: its own kind, where both are known.
async fn member_as(client: &Client, group: &Jid, person: &Jid) -> LibraryJid {
    let group = library_jid(group);
    let asking: Asking<'_, _> = Box::pin(async move { client.groups().query_info(&group).await });
    let Ok(info) = asking.await else {
        return library_jid(person);
    };
    let wanted = match info.addressing_mode {
        AddressingMode::Lid => JidKind::Lid,
        AddressingMode::Pn => JidKind::User,
    };
    if person.kind() == wanted {
        return library_jid(person);
    }
    let of_group = match wanted {
        JidKind::Lid => info
            .lid_user_for_phone_user(person.user())
            .and_then(|user| format!("{user}@lid").parse().ok()),
        _ => info
            .phone_jid_for_lid_user(person.user())
            .and_then(model_jid),
    };
    let other = match of_group {
        Some(other) => Some(other),
        None => other_address(client, person).await,
    };
    library_jid(other.as_ref().unwrap_or(person))
}

fn outcome(answer: &ParticipantChangeResponse) -> Option<MemberOutcome> {
    let person = model_jid(&answer.jid)?;
    let alias = answer.phone_number.as_ref().and_then(model_jid);
    Some(MemberOutcome {
        alias: convert::alias(&person, alias),
        person,
        // A code that is no number is a refusal all the same.
        refused: answer
            .error
            .as_ref()
            .map(|code| code.parse().unwrap_or(500)),
        needs_invite: answer.add_request.is_some(),
    })
}

pub(super) fn failure(error: &GroupError) -> RequestError {
    match error {
        GroupError::Iq(error) => request_error(error),
        GroupError::InvalidRequest(_) => RequestError::Refused { code: 400 },
        GroupError::DescriptionConflict => RequestError::Refused { code: 409 },
        _ => RequestError::Failed,
    }
}
