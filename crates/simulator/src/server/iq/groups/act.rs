//! What a member does in a group: in a turn of its own, from the check of rights to the commit.

use std::sync::Arc;

use wacore_binary::Node;

use super::router::{Answer, FORBIDDEN, Fault, NOT_FOUND};
use crate::server::api::Server;
use crate::server::groups::{Change, GroupRecord, Role};
use crate::server::iq::router::Request;
use crate::server::state::AccountCell;

/// A member's doing; dropped, nothing has happened.
pub(super) struct Act<'a> {
    pub(super) change: Change<'a>,
    pub(super) group: GroupRecord,
    pub(super) author: &'a Arc<AccountCell>,
    pub(super) role: Role,
}

impl Server {
    /// The group, when whoever asks is in it.
    pub(super) fn member_of(
        &self,
        request: &Request<'_>,
        id: &str,
    ) -> Result<Arc<GroupRecord>, Fault> {
        let group = self.inner.groups.get(id).ok_or(NOT_FOUND)?;
        let is_member = group.role_of(&request.session.account.number).is_some();
        is_member.then_some(group).ok_or(FORBIDDEN)
    }

    /// Begins what a member of the group does.
    pub(super) fn act<'a>(&'a self, request: &Request<'a>, id: &str) -> Result<Act<'a>, Fault> {
        let change = self.change_groups();
        let group = change.group(id).ok_or(NOT_FOUND)?;
        let author = &request.session.account;
        let role = group.role_of(&author.number).ok_or(FORBIDDEN)?;
        Ok(Act {
            change,
            group,
            author,
            role,
        })
    }
}

impl Act<'_> {
    pub(super) fn require_admin(&self) -> Result<(), Fault> {
        self.role.is_admin().then_some(()).ok_or(FORBIDDEN)
    }

    /// Subject, description and the like are everybody's, unless the group is locked.
    pub(super) fn require_editor(&self) -> Result<(), Fault> {
        let may = self.role.is_admin() || !self.group.is_locked;
        may.then_some(()).ok_or(FORBIDDEN)
    }

    /// Tells all members of something.
    pub(super) fn tell_all(&mut self, action: Node) {
        let numbers = self.group.numbers();
        self.change
            .tell(&self.group.id, self.author, action, numbers);
    }

    /// Ends it; this is what the request is answered with.
    pub(super) fn finish(mut self, answer: Vec<Node>) -> Answer {
        self.change.put(self.group);
        self.change.commit()?;
        Ok(answer)
    }
}
