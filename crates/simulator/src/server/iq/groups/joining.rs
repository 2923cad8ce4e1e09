//! Coming into a group by its link, by an invitation, or by asking.

use std::sync::Arc;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::people::{MAX_MEMBERS, outcome};
use super::router::{
    Answer, BAD_REQUEST, FORBIDDEN, Fault, NOT_ACCEPTABLE, NOT_AUTHORIZED, NOT_FOUND,
};
use crate::server::api::Server;
use crate::server::groups::{Change, GroupRecord, JoinRequest, Role, group_jid};
use crate::server::iq::router::Request;
use crate::server::jids::Addressing;
use crate::server::stanza::{jid_attr, number_attr, text_attr};
use crate::server::state::AccountCell;

impl Server {
    pub(super) fn invite_code(&self, request: &Request<'_>, id: &str) -> Answer {
        let group = self.member_of(request, id)?;
        let role = group.role_of(&request.session.account.number);
        if !group.is_link_open && !role.is_some_and(Role::is_admin) {
            return Err(NOT_AUTHORIZED);
        }
        Ok(vec![invite(&group)])
    }

    pub(super) fn reset_invite(&self, request: &Request<'_>, id: &str) -> Answer {
        let mut act = self.act(request, id)?;
        if !act.role.is_admin() {
            return Err(NOT_AUTHORIZED);
        }
        let before = std::mem::replace(&mut act.group.invite_code, self.new_invite_code());
        act.group.reset_codes.insert(before);
        let node = invite(&act.group);
        act.tell_all(node.clone());
        act.finish(vec![node])
    }

    pub(super) fn join_by_code(&self, request: &Request<'_>, invite: &Node) -> Answer {
        let code = text_attr(invite, "code").unwrap_or_default();
        let found = self.inner.groups.by_code(&code).ok_or(NOT_ACCEPTABLE)?;
        let mut change = self.change_groups();
        let mut group = change.group(&found.id).ok_or(NOT_ACCEPTABLE)?;
        if group.invite_code != code {
            return Err(Fault::Refused(410));
        }
        let own = &request.session.account;
        check_newcomer(&group, own)?;
        let answer = if group.needs_approval {
            self.ask_to_join(&mut change, &mut group, own, "invite_link");
            NodeBuilder::new("membership_approval_request")
        } else {
            change.admit(&mut group, own, std::slice::from_ref(own), Some("invite"));
            NodeBuilder::new("group")
        };
        let answer = answer.attr("jid", group.jid()).build();
        change.put(group);
        change.commit()?;
        Ok(vec![answer])
    }

    /// Notes that somebody wants to come in; the admins are told.
    pub(super) fn ask_to_join(
        &self,
        change: &mut Change<'_>,
        group: &mut GroupRecord,
        own: &AccountCell,
        method: &'static str,
    ) {
        let asked = JoinRequest {
            lid: own.lid.to_string(),
            at_s: self.inner.now_s(),
        };
        group.requests.insert(own.number.to_string(), asked);
        let user = NodeBuilder::new("requested_user")
            .attr("jid", own.jid(Addressing::Lid))
            .attr("phone_number", own.jid(Addressing::Pn))
            .build();
        let created = NodeBuilder::new("created_membership_requests")
            .attr("request_method", method)
            .children([user])
            .build();
        change.tell(&group.id, own, created, group.admins());
    }

    /// Somebody takes the invitation that an admin sent them because they may not be added.
    pub(super) fn accept_add_request(
        &self,
        request: &Request<'_>,
        id: &str,
        accept: &Node,
    ) -> Answer {
        let mut change = self.change_groups();
        let mut group = change.group(id).ok_or(NOT_FOUND)?;
        let own = &request.session.account;
        let invitation = group.add_requests.get(&*own.number).cloned();
        let invitation = invitation.ok_or(NOT_ACCEPTABLE)?;
        let admin = jid_attr(accept, "admin")
            .and_then(|admin| self.inner.directory.by_jid(&admin))
            .ok_or(BAD_REQUEST)?;
        let is_the_one = text_attr(accept, "code").as_ref() == Some(&invitation.code)
            && *admin.number == *invitation.admin
            && number_attr(accept, "expiration") == u64::try_from(invitation.expires_at_s).ok();
        if !is_the_one {
            return Err(NOT_ACCEPTABLE);
        }
        if invitation.expires_at_s <= self.inner.now_s() {
            return Err(Fault::Refused(410));
        }
        check_newcomer(&group, own)?;
        change.admit(&mut group, own, std::slice::from_ref(own), Some("invite"));
        let answer = NodeBuilder::new("group").attr("jid", group.jid()).build();
        change.put(group);
        change.commit()?;
        Ok(vec![answer])
    }

    /// Takes back invitations of single people.
    pub(super) fn revoke_add_requests(
        &self,
        request: &Request<'_>,
        id: &str,
        revoke: &Node,
    ) -> Answer {
        let mut act = self.act(request, id)?;
        act.require_admin()?;
        let mut results = Vec::new();
        for named in self.named(revoke) {
            let number = named.account.as_ref().map(|account| &*account.number);
            let taken = number.and_then(|number| act.group.add_requests.remove(number));
            results.push(outcome(&named, taken.is_none().then_some(404)).build());
        }
        act.finish(vec![NodeBuilder::new("revoke").children(results).build()])
    }

    pub(super) fn join_requests(&self, request: &Request<'_>, id: &str) -> Answer {
        let group = self.member_of(request, id)?;
        let role = group.role_of(&request.session.account.number);
        if !role.is_some_and(Role::is_admin) {
            return Err(FORBIDDEN);
        }
        let requests = group.requests.iter().map(|(number, asked)| {
            NodeBuilder::new("membership_approval_request")
                .attr("jid", wacore_binary::Jid::lid(&*asked.lid))
                .attr("phone_number", wacore_binary::Jid::pn(&**number))
                .attr("request_time", asked.at_s)
                .build()
        });
        Ok(vec![
            NodeBuilder::new("membership_approval_requests")
                .children(requests)
                .build(),
        ])
    }

    /// An admin lets in those who asked, or does not.
    pub(super) fn decide_requests(&self, request: &Request<'_>, id: &str, action: &Node) -> Answer {
        let decision = action.children().and_then(<[Node]>::first);
        let decision = decision.ok_or(BAD_REQUEST)?;
        let tag = match &*decision.tag {
            "approve" => "approve",
            "reject" => "reject",
            _ => return Err(BAD_REQUEST),
        };
        let mut act = self.act(request, id)?;
        act.require_admin()?;
        let mut decided: Vec<Arc<AccountCell>> = Vec::new();
        let mut results = Vec::new();
        for named in self.named(decision) {
            let asked = named
                .account
                .as_ref()
                .filter(|account| act.group.requests.contains_key(&*account.number));
            let is_full = act.group.members.len() + decided.len() >= MAX_MEMBERS;
            let error = match asked {
                None => Some(404),
                Some(_) if tag == "approve" && is_full => Some(419),
                Some(account) => {
                    decided.push(account.clone());
                    None
                }
            };
            results.push(outcome(&named, error).build());
        }
        if tag == "approve" {
            act.change
                .admit(&mut act.group, act.author, &decided, Some("invite"));
        } else {
            withdraw(&mut act.change, &mut act.group, act.author, &decided);
        }
        let decision = NodeBuilder::new(tag).children(results).build();
        act.finish(vec![
            NodeBuilder::new("membership_requests_action")
                .children([decision])
                .build(),
        ])
    }

    /// Somebody does not want to come in any more.
    pub(super) fn cancel_request(&self, request: &Request<'_>, id: &str, cancel: &Node) -> Answer {
        let mut change = self.change_groups();
        let mut group = change.group(id).ok_or(NOT_FOUND)?;
        let own = &request.session.account;
        let mut results = Vec::new();
        for named in self.named(cancel) {
            let is_own = named
                .account
                .as_ref()
                .is_some_and(|account| account.number == own.number);
            let error = if !is_own {
                Some(403)
            } else if group.requests.contains_key(&*own.number) {
                withdraw(&mut change, &mut group, own, std::slice::from_ref(own));
                None
            } else {
                Some(404)
            };
            results.push(outcome(&named, error).build());
        }
        change.put(group);
        change.commit()?;
        Ok(vec![
            NodeBuilder::new("cancel_membership_requests")
                .children(results)
                .build(),
        ])
    }
}

/// Drops requests; the admins and those who asked are told.
fn withdraw(
    change: &mut Change<'_>,
    group: &mut GroupRecord,
    author: &AccountCell,
    asked: &[Arc<AccountCell>],
) {
    let mut told = group.admins();
    let mut participants = Vec::new();
    for account in asked {
        group.requests.remove(&*account.number);
        told.push(account.number.to_string());
        participants.push(
            NodeBuilder::new("participant")
                .attr("jid", account.jid(Addressing::Lid))
                .attr("phone_number", account.jid(Addressing::Pn))
                .build(),
        );
    }
    if !participants.is_empty() {
        let revoked = NodeBuilder::new("revoked_membership_requests").children(participants);
        change.tell(&group.id, author, revoked.build(), told);
    }
}

/// Why somebody who was invited may not come in.
pub(super) fn check_newcomer(group: &GroupRecord, own: &AccountCell) -> Result<(), Fault> {
    if group.members.contains_key(&*own.number) {
        return Err(Fault::Refused(304));
    }
    if group.removed.contains(&*own.number) {
        return Err(Fault::Refused(405));
    }
    if group.members.len() >= MAX_MEMBERS {
        return Err(Fault::Refused(419));
    }
    Ok(())
}

fn invite(group: &GroupRecord) -> Node {
    NodeBuilder::new("invite")
        .attr("code", &group.invite_code)
        .build()
}

/// Where the group with this id is reached, in results.
pub(super) fn result_for(id: &str, error: Option<u16>) -> Node {
    let node = NodeBuilder::new("group").attr("jid", group_jid(id));
    match error {
        Some(code) => node.attr("error", code),
        None => node,
    }
    .build()
}
