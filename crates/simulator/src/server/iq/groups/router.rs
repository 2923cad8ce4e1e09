//! From a request's first child to what answers it.

use wacore_binary::{Jid, JidExt as _, Node};

use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::iq::router::Request;
use crate::server::stanza::jid_attr;

/// Why a request about groups is not granted.
#[derive(Debug)]
pub(in crate::server::iq) enum Fault {
    /// The server refuses with this code.
    Refused(u16),
    Journal(JournalError),
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// The children of the result.
pub(super) type Answer = Result<Vec<Node>, Fault>;

pub(super) const BAD_REQUEST: Fault = Fault::Refused(400);
pub(super) const NOT_AUTHORIZED: Fault = Fault::Refused(401);
pub(super) const FORBIDDEN: Fault = Fault::Refused(403);
pub(super) const NOT_FOUND: Fault = Fault::Refused(404);
pub(super) const NOT_ACCEPTABLE: Fault = Fault::Refused(406);
const NOT_IMPLEMENTED: Fault = Fault::Refused(501);

impl Request<'_> {
    /// The error that tells of a refusal.
    pub(super) fn refuse(&self, fault: Fault) -> Result<Node, JournalError> {
        match fault {
            Fault::Refused(code) => Ok(self.error(code, text_of(code))),
            Fault::Journal(error) => Err(error),
        }
    }
}

impl Server {
    pub(in crate::server::iq) fn iq_groups(
        &self,
        request: &Request<'_>,
    ) -> Result<Node, JournalError> {
        match self.answer_about_groups(request) {
            Ok(children) => Ok(request.result(children)),
            Err(fault) => request.refuse(fault),
        }
    }

    fn answer_about_groups(&self, request: &Request<'_>) -> Answer {
        let first = request.iq.children().and_then(<[Node]>::first);
        let child = first.ok_or(BAD_REQUEST)?;
        match jid_attr(request.iq, "to").filter(Jid::is_group) {
            Some(to) if !to.user.is_empty() => {
                if request.is_get {
                    self.get_of_group(request, &to.user, child)
                } else {
                    self.set_in_group(request, &to.user, child)
                }
            }
            _ if request.is_get => self.get_of_groups(request, child),
            _ => self.set_in_groups(request, child),
        }
    }

    fn get_of_groups(&self, request: &Request<'_>, child: &Node) -> Answer {
        match &*child.tag {
            "participating" => Ok(self.participating(request)),
            "query" => Ok(self.group_batch(request, child)),
            "pictures" => Ok(self.group_pictures(request, child)),
            "invite" => self.invite_info(child),
            _ => Err(NOT_IMPLEMENTED),
        }
    }

    fn set_in_groups(&self, request: &Request<'_>, child: &Node) -> Answer {
        match &*child.tag {
            "create" => self.create_group(request, child),
            "leave" => self.leave_groups(request, child),
            "invite" => self.join_by_code(request, child),
            _ => Err(NOT_IMPLEMENTED),
        }
    }

    fn get_of_group(&self, request: &Request<'_>, id: &str, child: &Node) -> Answer {
        match &*child.tag {
            "query" => self.group_info(request, id, child),
            "invite" => self.invite_code(request, id),
            "membership_approval_requests" => self.join_requests(request, id),
            "query_linked" => self.linked_group(request, id, child),
            "linked_groups_participants" => self.community_members(request, id),
            _ => Err(NOT_IMPLEMENTED),
        }
    }

    fn set_in_group(&self, request: &Request<'_>, id: &str, child: &Node) -> Answer {
        match &*child.tag {
            "add" => self.add_members(request, id, child),
            "remove" => self.remove_members(request, id, child),
            "promote" | "demote" => self.change_roles(request, id, child),
            "invite" => self.reset_invite(request, id),
            "accept" => self.accept_add_request(request, id, child),
            "revoke" => self.revoke_add_requests(request, id, child),
            "membership_requests_action" => self.decide_requests(request, id, child),
            "cancel_membership_requests" => self.cancel_request(request, id, child),
            "links" => self.link_groups(request, id, child),
            "unlink" => self.unlink_groups(request, id, child),
            "delete_parent" => self.end_community(request, id),
            "join_linked_group" => self.join_linked_group(request, id, child),
            // The user has seen that others added them.
            "ack" => self.member_of(request, id).map(|_| Vec::new()),
            _ => self.change_setting(request, id, child),
        }
    }
}

fn text_of(code: u16) -> &'static str {
    match code {
        304 => "not-modified",
        400 => "bad-request",
        401 => "not-authorized",
        403 => "forbidden",
        404 => "item-not-found",
        405 => "not-allowed",
        406 => "not-acceptable",
        409 => "conflict",
        410 => "gone",
        419 => "resource-limit",
        _ => "feature-not-implemented",
    }
}
