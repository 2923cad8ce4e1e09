//! Who is in a group, and who manages it.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::people::outcome;
use super::router::{Answer, FORBIDDEN, Fault};
use crate::server::api::Server;
use crate::server::groups::{Role, group_jid, participant_node};
use crate::server::iq::router::Request;
use crate::server::stanza::{jid_attr, text_attr};

impl Server {
    pub(super) fn add_members(&self, request: &Request<'_>, id: &str, add: &Node) -> Answer {
        let mut act = self.act(request, id)?;
        if !act.role.is_admin() && !act.group.is_adding_open {
            return Err(FORBIDDEN);
        }
        let mut newcomers = Vec::new();
        let mut results = Vec::new();
        for named in self.named(add) {
            let objection = match &named.account {
                None => Some(404),
                Some(account) => self.objection(&act.group, act.author, account),
            };
            let is_full = act.group.members.len() + newcomers.len() >= super::people::MAX_MEMBERS;
            let error = objection.or(is_full.then_some(419));
            let mut result = outcome(&named, error);
            if let Some(account) = &named.account {
                match error {
                    None => newcomers.push(account.clone()),
                    Some(403) => {
                        let invitation = self.invite_one(&mut act.group, act.author, account);
                        result = result.children([invitation]);
                    }
                    Some(_) => {}
                }
            }
            results.push(result.build());
        }
        act.change
            .admit(&mut act.group, act.author, &newcomers, None);
        act.finish(vec![NodeBuilder::new("add").children(results).build()])
    }

    pub(super) fn remove_members(&self, request: &Request<'_>, id: &str, remove: &Node) -> Answer {
        let mut act = self.act(request, id)?;
        act.require_admin()?;
        let mut removed = Vec::new();
        let mut results = Vec::new();
        for named in self.named(remove) {
            let number = named.account.as_ref().map(|account| &*account.number);
            let error = match number.and_then(|number| act.group.role_of(number)) {
                None => Some(404),
                Some(Role::SuperAdmin) => Some(406),
                Some(_) => None,
            };
            if let (None, Some(number)) = (error, number) {
                removed.push(number.to_owned());
            }
            results.push(outcome(&named, error).build());
        }
        act.group.removed.extend(removed.iter().cloned());
        act.change.part(&mut act.group, act.author, &removed);
        let is_everywhere = text_attr(remove, "linked_groups").as_deref() == Some("true");
        if is_everywhere && act.group.community.is_some() {
            for linked in self.inner.groups.of_community(id) {
                let Some(mut linked) = act.change.group(&linked.id) else {
                    continue;
                };
                act.change.part(&mut linked, act.author, &removed);
                linked.removed.extend(removed.iter().cloned());
                act.change.put(linked);
            }
        }
        act.finish(vec![NodeBuilder::new("remove").children(results).build()])
    }

    /// Makes admins of members, or members of admins.
    pub(super) fn change_roles(&self, request: &Request<'_>, id: &str, change: &Node) -> Answer {
        let mut act = self.act(request, id)?;
        act.require_admin()?;
        let is_promotion = change.tag == "promote";
        let mut changed = Vec::new();
        let mut results = Vec::new();
        for named in self.named(change) {
            let number = named.account.as_ref().map(|account| &*account.number);
            let member =
                number.and_then(|number| Some((number, act.group.members.get_mut(number)?)));
            let error = match member {
                None => Some(404),
                Some((_, member)) if member.role == Role::SuperAdmin => {
                    (!is_promotion).then_some(406)
                }
                Some((number, member)) => {
                    if member.role.is_admin() != is_promotion {
                        member.role = if is_promotion {
                            Role::Admin
                        } else {
                            Role::Member
                        };
                        changed.push(participant_node(number, member));
                    }
                    None
                }
            };
            results.push(outcome(&named, error).build());
        }
        let tag = if is_promotion { "promote" } else { "demote" };
        if !changed.is_empty() {
            act.tell_all(NodeBuilder::new(tag).children(changed).build());
        }
        act.finish(vec![NodeBuilder::new(tag).children(results).build()])
    }

    pub(super) fn leave_groups(&self, request: &Request<'_>, leave: &Node) -> Answer {
        let mut results = Vec::new();
        for group in leave.get_children_by_tag("group") {
            let Some(jid) = jid_attr(group, "id") else {
                continue;
            };
            let result = NodeBuilder::new("group").attr("id", group_jid(&jid.user));
            results.push(match self.leave_group(request, &jid.user) {
                Ok(()) => result.build(),
                Err(Fault::Refused(code)) => result.attr("error", code).build(),
                Err(error) => return Err(error),
            });
        }
        Ok(vec![NodeBuilder::new("leave").children(results).build()])
    }

    fn leave_group(&self, request: &Request<'_>, id: &str) -> Result<(), Fault> {
        let mut act = self.act(request, id)?;
        let number = act.author.number.to_string();
        let (times, at_s) = act.group.left.entry(number.clone()).or_default();
        *times += 1;
        *at_s = self.inner.now_s();
        act.change.part(&mut act.group, act.author, &[number]);
        act.finish(Vec::new()).map(|_| ())
    }
}
