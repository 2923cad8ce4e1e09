//! What a phone's user does with groups; each is a request to the server.

use std::num::NonZeroU32;

use wacore::iq::groups::{
    AcceptGroupInviteIq, AddParticipantsIq, DemoteParticipantsIq, GetGroupInviteLinkIq,
    GroupDescription, GroupInfoOutcome, GroupQueryIq, GroupSubject, JoinGroupResult, LeaveGroupIq,
    MemberAddMode, MembershipApprovalMode, MembershipRequestActionIq, ParticipantChangeResponse,
    PromoteParticipantsIq, RemoveParticipantsIq, SetGroupAnnouncementIq, SetGroupDescriptionIq,
    SetGroupEphemeralIq, SetGroupLockedIq, SetGroupMembershipApprovalIq, SetGroupSubjectIq,
    SetMemberAddModeIq,
};
use wacore::iq::spec::IqSpec;
use wacore::request::InfoQuery;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, Server};

use crate::phone::actor::{Command, parse_user};
use crate::phone::error::PhoneError;
use crate::phone::handle::Phone;

/// A group that a phone is asked to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewGroup {
    /// Its name, 1 to 100 characters.
    pub subject: String,
    /// Numbers or JIDs of those who are to be in it.
    pub participants: Vec<String>,
    /// Whether only admins send messages.
    pub is_announcement: bool,
    /// Whether only admins change subject, description and the like.
    pub is_locked: bool,
    /// Whether admins let in those who come by the link.
    pub needs_approval: bool,
}

/// Settings of a group that change; those without a value stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// Whether only admins send messages.
    pub is_announcement: Option<bool>,
    /// Whether only admins change subject, description and the like.
    pub is_locked: Option<bool>,
    /// Whether admins let in those who come by the link.
    pub needs_approval: Option<bool>,
    /// Whether every member may add others.
    pub is_adding_open: Option<bool>,
    /// After how many seconds messages disappear; 0 for never.
    pub ephemeral_s: Option<u32>,
}

/// What is done with members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAction {
    /// They come in.
    Add,
    /// They are put out.
    Remove,
    /// They become admins.
    Promote,
    /// They are admins no more.
    Demote,
    /// Their requests to come in are granted.
    Approve,
    /// Their requests to come in are not granted.
    Reject,
}

/// What became of somebody whom an action named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberOutcome {
    /// The number, when the server knows it, or else the JID.
    pub participant: String,
    /// The server's code when nothing was done.
    pub error: Option<u16>,
}

/// What became of the wish to come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The group.
    pub jid: Jid,
    /// Whether the phone is in it; otherwise an admin is asked.
    pub is_member: bool,
}

impl Phone {
    /// Makes a group with this phone as its first admin.
    pub async fn create_group(&self, group: &NewGroup) -> Result<Jid, PhoneError> {
        GroupSubject::new(group.subject.as_str())
            .ok()
            .filter(|subject| !subject.as_str().is_empty())
            .ok_or_else(|| PhoneError::invalid("subject", "expected 1 to 100 characters"))?;
        let mut children = vec![
            NodeBuilder::new("member_add_mode")
                .string_content("all_member_add")
                .build(),
        ];
        for participant in users(&group.participants)? {
            let node = NodeBuilder::new("participant").attr("jid", participant);
            children.push(node.build());
        }
        if group.is_announcement {
            children.push(NodeBuilder::new("announcement").build());
        }
        if group.is_locked {
            children.push(NodeBuilder::new("locked").build());
        }
        if group.needs_approval {
            let join = NodeBuilder::new("group_join").attr("state", "on").build();
            let mode = NodeBuilder::new("membership_approval_mode").children([join]);
            children.push(mode.build());
        }
        let create = NodeBuilder::new("create")
            .attr("subject", &group.subject)
            .children(children)
            .build();
        let content = Some(NodeContent::Nodes(vec![create]));
        let answer = self
            .request(InfoQuery::set("w:g2", Jid::new("", Server::Group), content))
            .await?;
        answer
            .get_optional_child("group")
            .and_then(|group| group.attrs.get("id"))
            .map(|id| Jid::group(&*id.as_str()))
            .ok_or_else(|| PhoneError::internal("the server did not describe a new group"))
    }

    /// Does something with members; the server's word on each.
    pub async fn change_members(
        &self,
        group: &Jid,
        action: MemberAction,
        participants: &[String],
    ) -> Result<Vec<MemberOutcome>, PhoneError> {
        let users = users(participants)?;
        let outcomes = match action {
            MemberAction::Add => self.query(AddParticipantsIq::new(group, &users)).await,
            MemberAction::Remove => self.query(RemoveParticipantsIq::new(group, &users)).await,
            MemberAction::Promote => self.query(PromoteParticipantsIq::new(group, &users)).await,
            MemberAction::Demote => self.query(DemoteParticipantsIq::new(group, &users)).await,
            MemberAction::Approve => {
                self.query(MembershipRequestActionIq::approve(group, &users))
                    .await
            }
            MemberAction::Reject => {
                self.query(MembershipRequestActionIq::reject(group, &users))
                    .await
            }
        };
        Ok(outcomes?.into_iter().map(outcome).collect())
    }

    /// Goes out of a group.
    pub async fn leave_group(&self, group: &Jid) -> Result<(), PhoneError> {
        self.query(LeaveGroupIq::new(group)).await
    }

    /// Gives a group another name.
    pub async fn set_group_subject(&self, group: &Jid, subject: &str) -> Result<(), PhoneError> {
        let subject = GroupSubject::new(subject)
            .map_err(|_| PhoneError::invalid("subject", "expected 1 to 100 characters"))?;
        self.query(SetGroupSubjectIq::new(group, subject)).await
    }

    /// Gives a group another description; an empty one takes it away.
    pub async fn set_group_description(
        &self,
        group: &Jid,
        description: &str,
    ) -> Result<(), PhoneError> {
        let text = GroupDescription::new(description)
            .map_err(|_| PhoneError::invalid("description", "expected at most 2048 characters"))?;
        let before = match self.query(GroupQueryIq::new(group)).await? {
            GroupInfoOutcome::Full(group) => group.description_id,
            GroupInfoOutcome::NotModified => None,
        };
        let text = Some(text).filter(|_| !description.is_empty());
        self.query(SetGroupDescriptionIq::new(group, text, before.as_deref()))
            .await
    }

    /// Changes settings of a group, one after the other.
    pub async fn set_group_settings(
        &self,
        group: &Jid,
        settings: GroupSettings,
    ) -> Result<(), PhoneError> {
        if let Some(is_announcement) = settings.is_announcement {
            self.query(if is_announcement {
                SetGroupAnnouncementIq::announce(group)
            } else {
                SetGroupAnnouncementIq::unannounce(group)
            })
            .await?;
        }
        if let Some(is_locked) = settings.is_locked {
            self.query(if is_locked {
                SetGroupLockedIq::lock(group)
            } else {
                SetGroupLockedIq::unlock(group)
            })
            .await?;
        }
        if let Some(needs_approval) = settings.needs_approval {
            let mode = if needs_approval {
                MembershipApprovalMode::On
            } else {
                MembershipApprovalMode::Off
            };
            self.query(SetGroupMembershipApprovalIq::new(group, mode))
                .await?;
        }
        if let Some(is_open) = settings.is_adding_open {
            let mode = if is_open {
                MemberAddMode::AllMemberAdd
            } else {
                MemberAddMode::AdminAdd
            };
            self.query(SetMemberAddModeIq::new(group, mode)).await?;
        }
        if let Some(seconds) = settings.ephemeral_s {
            self.query(match NonZeroU32::new(seconds) {
                Some(seconds) => SetGroupEphemeralIq::enable(group, seconds),
                None => SetGroupEphemeralIq::disable(group),
            })
            .await?;
        }
        Ok(())
    }

    /// The code of a group's invitation link; a new one when it is reset.
    pub async fn group_invite(&self, group: &Jid, is_reset: bool) -> Result<String, PhoneError> {
        let link = self
            .query(GetGroupInviteLinkIq::new(group, is_reset))
            .await?;
        Ok(link.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// Comes into a group by the code of its link.
    pub async fn join_group(&self, code: &str) -> Result<Joined, PhoneError> {
        Ok(match self.query(AcceptGroupInviteIq::new(code)).await? {
            JoinGroupResult::Joined(jid) => Joined {
                jid,
                is_member: true,
            },
            JoinGroupResult::PendingApproval(jid) => Joined {
                jid,
                is_member: false,
            },
        })
    }

    /// Asks the server for something that the client library knows to ask.
    async fn query<S: IqSpec>(&self, spec: S) -> Result<S::Response, PhoneError> {
        let answer = self.request(spec.build_iq()).await?;
        spec.parse_response(&answer.as_node_ref())
            .map_err(|error| PhoneError::Conflict(format!("the server's answer is odd: {error}")))
    }

    async fn request(&self, query: InfoQuery<'static>) -> Result<Node, PhoneError> {
        self.ask(|reply| Command::Request { query, reply }).await?
    }
}

fn users(participants: &[String]) -> Result<Vec<Jid>, PhoneError> {
    let users = participants.iter();
    users.map(|user| parse_user("participants", user)).collect()
}

fn outcome(change: ParticipantChangeResponse) -> MemberOutcome {
    let number = change.phone_number.filter(Jid::is_pn);
    MemberOutcome {
        participant: match number {
            Some(number) => number.user.to_string(),
            None => change.jid.to_string(),
        },
        error: change.error.map(|code| code.parse().unwrap_or(500)),
    }
}
