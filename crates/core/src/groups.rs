//! Use cases of groups.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wagate_cluster::{GroupReply, GroupRequest, LiveReply, LiveRequest, MemberChange};
use wagate_model::{
    AddGroupMembersInput, ApproveGroupMembersInput, CreateGroupInput, Draft, Faults, Group,
    GroupInfo, GroupMember, GroupPictureInput, GroupPreview, GroupRole, InviteOutput, Jid, JidKind,
    JoinGroupInput, JoinGroupOutput, ListGroup, ListGroupJoinRequest, ListGroupMember,
    RejectGroupMembersInput, UpdateGroupInput, checked_invite, limits,
};
use wagate_store::{GroupRecord, Tx};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::live::unexpected_live;
use crate::service::Core;

impl Core {
    /// Lists the groups that the account is in.
    pub async fn list_groups(&self, access: &SessionAccess) -> Result<ListGroup> {
        let mut tx = self.store.read().await?;
        let groups = tx.groups(access.organization_id(), access.id()).await?;
        let shown = groups
            .into_iter()
            .map(|group| self.shown_group(access, group));
        Ok(ListGroup {
            data: shown.collect(),
            next_cursor: None,
        })
    }

    /// One stored group, also after the account left it.
    pub async fn get_group(&self, access: &SessionAccess, group: &str) -> Result<Group> {
        let mut tx = self.store.read().await?;
        let group = find_group(&mut tx, access, group).await?;
        Ok(self.shown_group(access, group))
    }

    /// The stored members of a group.
    pub async fn list_group_members(
        &self,
        access: &SessionAccess,
        group: &str,
    ) -> Result<ListGroupMember> {
        let mut tx = self.store.read().await?;
        let group = find_group(&mut tx, access, group).await?;
        let members = tx
            .group_members(access.organization_id(), access.id(), &group.jid)
            .await?;
        let shown = members.into_iter().map(|member| GroupMember {
            first_seen_at: member.first_seen_at,
            group_jid: member.group_jid,
            id: self.signing_root.number_of(access.id(), member.id),
            last_seen_at: member.last_seen_at,
            lid: member.lid.unwrap_or_default(),
            role: GroupRole::of(&member.role),
            session_id: access.id(),
            tag: member.tag,
        });
        Ok(ListGroupMember {
            data: shown.collect(),
            next_cursor: None,
        })
    }

    /// A group without the number of its row, as with chats.
    fn shown_group(&self, access: &SessionAccess, group: GroupRecord) -> Group {
        Group {
            created_at_wa: group.created_at_wa,
            description: group.description,
            first_seen_at: group.first_seen_at,
            group_jid: group.jid,
            id: self.signing_root.number_of(access.id(), group.id),
            is_announce: group.is_announce,
            is_locked: group.is_locked,
            owner_jid: group.owner_jid,
            participant_count: group.participant_count,
            subject: group.subject,
            updated_at: group.updated_at,
        }
    }
}

impl Core {
    /// Makes a group of the account and others.
    pub async fn create_group(
        &self,
        access: &SessionAccess,
        request: Draft<CreateGroupInput>,
    ) -> Result<GroupInfo> {
        let (request, mut faults) = request.open()?;
        let (name, people) = request.check(&mut faults);
        faults.into_result()?;
        let request = GroupRequest::Create { name, people };
        match self.ask_group(access, request).await? {
            GroupReply::Created(group) => Ok(group),
            other => Err(unexpected_live(&LiveReply::Groups(other))),
        }
    }

    /// Changes a group's settings, one after the other.
    pub async fn update_group(
        &self,
        access: &SessionAccess,
        group: &str,
        request: Draft<UpdateGroupInput>,
    ) -> Result<()> {
        let group = self.group_address(access, group).await?;
        let (settings, ()) = request.checked(UpdateGroupInput::check)?;
        if settings.is_empty() {
            return Ok(());
        }
        self.do_in_group(access, GroupRequest::Update { group, settings })
            .await
    }

    /// A group's invite link.
    pub async fn get_group_invite(
        &self,
        access: &SessionAccess,
        group: &str,
    ) -> Result<InviteOutput> {
        self.group_invite(access, group, false).await
    }

    /// Makes a group's invite link void, and gives the new one.
    pub async fn revoke_group_invite(
        &self,
        access: &SessionAccess,
        group: &str,
    ) -> Result<InviteOutput> {
        self.group_invite(access, group, true).await
    }

    async fn group_invite(
        &self,
        access: &SessionAccess,
        group: &str,
        is_renewed: bool,
    ) -> Result<InviteOutput> {
        let group = self.group_address(access, group).await?;
        let request = GroupRequest::Invite { group, is_renewed };
        match self.ask_group(access, request).await? {
            GroupReply::Invite(invite) => Ok(InviteOutput { invite }),
            other => Err(unexpected_live(&LiveReply::Groups(other))),
        }
    }

    /// Adds people to a group; some may be refused by WhatsApp.
    pub async fn add_group_members(
        &self,
        access: &SessionAccess,
        group: &str,
        request: Draft<AddGroupMembersInput>,
    ) -> Result<()> {
        let group = self.group_address(access, group).await?;
        let (_, people) = request.checked(AddGroupMembersInput::check)?;
        let request = GroupRequest::Members {
            group,
            change: MemberChange::Add,
            people,
        };
        self.do_in_group(access, request).await
    }

    /// Removes, promotes or demotes a member of a group.
    pub async fn change_group_member(
        &self,
        access: &SessionAccess,
        group: &str,
        person: &str,
        change: MemberChange,
    ) -> Result<()> {
        let group = self.group_address(access, group).await?;
        let person = Jid::parse_lenient(person).ok();
        let person = person
            .filter(|jid| jid.kind().is_person())
            .ok_or(Error::NotFound(What::Contact))?;
        let request = GroupRequest::Members {
            group,
            change,
            people: vec![person],
        };
        self.do_live(access, LiveRequest::Groups(request), What::GroupMember)
            .await
    }

    /// Grants the requests of people to join a group; of all where none are named.
    pub async fn approve_group_members(
        &self,
        access: &SessionAccess,
        group: &str,
        request: Draft<ApproveGroupMembersInput>,
    ) -> Result<()> {
        let group = self.group_address(access, group).await?;
        let (_, people) = request.checked(ApproveGroupMembersInput::check)?;
        let request = GroupRequest::Answer {
            group,
            is_granted: true,
            people,
        };
        self.do_in_group(access, request).await
    }

    /// Leaves a group; what is stored of it stays.
    pub async fn leave_group(&self, access: &SessionAccess, group: &str) -> Result<()> {
        let group = self.group_address(access, group).await?;
        self.do_in_group(access, GroupRequest::Leave { group })
            .await
    }

    /// Joins a group by its invite; fine where the account is in it already.
    pub async fn join_group(
        &self,
        access: &SessionAccess,
        request: Draft<JoinGroupInput>,
    ) -> Result<JoinGroupOutput> {
        let (request, mut faults) = request.open()?;
        let code = request.check(&mut faults).unwrap_or_default();
        faults.into_result()?;
        match self.ask_group(access, GroupRequest::Join { code }).await? {
            GroupReply::Joined(group) => Ok(JoinGroupOutput {
                group_jid: group.to_string(),
            }),
            other => Err(unexpected_live(&LiveReply::Groups(other))),
        }
    }

    /// The group that an invite leads to.
    pub async fn preview_group_invite(
        &self,
        access: &SessionAccess,
        invite: Draft<Option<String>>,
    ) -> Result<GroupPreview> {
        let (invite, mut faults) = invite.open()?;
        let invite = faults.required("invite", invite);
        let code = invite.and_then(|invite| checked_invite(&invite, &mut faults));
        faults.into_result()?;
        let code = code.unwrap_or_default();
        match self
            .ask_group(access, GroupRequest::Preview { code })
            .await?
        {
            GroupReply::Preview(group) => Ok(group),
            other => Err(unexpected_live(&LiveReply::Groups(other))),
        }
    }

    /// Who asks to join a group.
    pub async fn list_group_join_requests(
        &self,
        access: &SessionAccess,
        group: &str,
    ) -> Result<ListGroupJoinRequest> {
        let group = self.group_address(access, group).await?;
        match self
            .ask_group(access, GroupRequest::Requests { group })
            .await?
        {
            GroupReply::Requests(data) => Ok(ListGroupJoinRequest { data }),
            other => Err(unexpected_live(&LiveReply::Groups(other))),
        }
    }

    /// Takes the account's own request to join a group back. The group need not be stored: the
    /// account is not in it.
    pub async fn cancel_group_join_request(
        &self,
        access: &SessionAccess,
        group: &str,
    ) -> Result<()> {
        let jid = Jid::parse_lenient(group).ok();
        let group = jid
            .filter(|jid| jid.kind() == JidKind::Group)
            .ok_or(Error::NotFound(What::Group))?;
        self.do_in_group(access, GroupRequest::CancelRequest { group })
            .await
    }

    /// Denies the requests of people to join a group.
    pub async fn reject_group_members(
        &self,
        access: &SessionAccess,
        group: &str,
        request: Draft<RejectGroupMembersInput>,
    ) -> Result<()> {
        let group = self.group_address(access, group).await?;
        let (_, people) = request.checked(RejectGroupMembersInput::check)?;
        let request = GroupRequest::Answer {
            group,
            is_granted: false,
            people,
        };
        self.do_in_group(access, request).await
    }

    /// Sets a group's picture.
    pub async fn set_group_picture(
        &self,
        access: &SessionAccess,
        group: &str,
        request: Draft<GroupPictureInput>,
    ) -> Result<()> {
        let group = self.group_address(access, group).await?;
        let (request, mut faults) = request.open()?;
        let jpeg = faults.required("jpeg", request.jpeg);
        if let Some(jpeg) = &jpeg {
            check_jpeg("jpeg", jpeg, &mut faults);
        }
        faults.into_result()?;
        self.do_in_group(access, GroupRequest::Picture { group, jpeg })
            .await
    }

    /// Removes a group's picture.
    pub async fn remove_group_picture(&self, access: &SessionAccess, group: &str) -> Result<()> {
        let group = self.group_address(access, group).await?;
        let request = GroupRequest::Picture { group, jpeg: None };
        self.do_in_group(access, request).await
    }

    async fn do_in_group(&self, access: &SessionAccess, request: GroupRequest) -> Result<()> {
        self.do_live(access, LiveRequest::Groups(request), What::Group)
            .await
    }

    async fn ask_group(&self, access: &SessionAccess, request: GroupRequest) -> Result<GroupReply> {
        let request = LiveRequest::Groups(request);
        match self.ask_live(access, request, What::Group).await? {
            LiveReply::Groups(reply) => Ok(reply),
            other => Err(unexpected_live(&other)),
        }
    }

    /// The address of a stored group.
    async fn group_address(&self, access: &SessionAccess, group: &str) -> Result<Jid> {
        let mut tx = self.store.read().await?;
        let stored = find_group(&mut tx, access, group).await?;
        stored.jid.parse().map_err(Error::internal)
    }
}

/// Notes what is wrong with a picture; what is in it is WhatsApp's to judge.
pub(crate) fn check_jpeg(field: &str, base64: &str, faults: &mut Faults) {
    const MAX: usize = limits::GROUP_PICTURE_BYTES;
    let Ok(bytes) = BASE64_STANDARD.decode(base64) else {
        faults.add(field, "must be base64, with padding");
        return;
    };
    faults.check(bytes.len() <= MAX, field, || {
        format!("must have at most {MAX} bytes")
    });
    faults.check(bytes.starts_with(&[0xff, 0xd8, 0xff]), field, || {
        "must be a JPEG".into()
    });
}

async fn find_group(tx: &mut Tx, access: &SessionAccess, group: &str) -> Result<GroupRecord> {
    const NOT_FOUND: Error = Error::NotFound(What::Group);
    let jid = group.parse::<Jid>().map_err(|_| NOT_FOUND)?;
    if jid.kind() != JidKind::Group {
        return Err(NOT_FOUND);
    }
    tx.group(access.organization_id(), access.id(), jid.as_str())
        .await?
        .ok_or(NOT_FOUND)
}
