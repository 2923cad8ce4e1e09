//! Use cases of stored groups.

use wagate_model::{Group, GroupMember, GroupRole, Jid, JidKind, ListGroup, ListGroupMember};
use wagate_store::{GroupRecord, Tx};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
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
