//! Communities: a parent group, and the groups that are linked to it.

use std::collections::BTreeMap;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::joining::{check_newcomer, result_for};
use super::router::{Answer, BAD_REQUEST, FORBIDDEN, NOT_ACCEPTABLE, NOT_FOUND};
use crate::server::api::Server;
use crate::server::groups::{
    Change, GroupRecord, Link, Role, group_jid, group_node, participant_node,
};
use crate::server::iq::router::Request;
use crate::server::stanza::{jid_attr, text_attr};
use crate::server::state::AccountCell;

impl Server {
    /// Links existing groups to a community; their members come into it.
    pub(super) fn link_groups(&self, request: &Request<'_>, id: &str, links: &Node) -> Answer {
        let link = links.get_optional_child("link").ok_or(BAD_REQUEST)?;
        if text_attr(link, "link_type").as_deref() != Some("sub_group") {
            return Err(BAD_REQUEST);
        }
        let mut act = self.act(request, id)?;
        act.require_admin()?;
        if act.group.community.is_none() {
            return Err(NOT_ACCEPTABLE);
        }
        let mut results = Vec::new();
        for wanted in link.get_children_by_tag("group") {
            let Some(jid) = jid_attr(wanted, "jid") else {
                continue;
            };
            let mut group = match linkable(&act.change, &jid.user, act.author) {
                Ok(group) => group,
                Err(code) => {
                    results.push(result_for(&jid.user, Some(code)));
                    continue;
                }
            };
            group.link = Some(Link {
                parent: act.group.id.clone(),
                ..Link::default()
            });
            act.tell_all(link_node("sub_group", &group));
            let numbers = group.numbers();
            let to_parent = link_node("parent_group", &act.group);
            act.change.tell(&group.id, act.author, to_parent, &numbers);
            let members: Vec<_> = numbers
                .iter()
                .filter_map(|number| self.inner.directory.by_number(number))
                .collect();
            act.change.put(act.group.clone());
            act.change.admit_to_community(&group, act.author, &members);
            act.group = act.change.group(id).ok_or(NOT_FOUND)?;
            results.push(result_for(&group.id, None));
            act.change.put(group);
        }
        let link = NodeBuilder::new("link")
            .attr("link_type", "sub_group")
            .children(results)
            .build();
        act.finish(vec![NodeBuilder::new("links").children([link]).build()])
    }

    /// Takes groups out of a community; they go on by themselves.
    pub(super) fn unlink_groups(&self, request: &Request<'_>, id: &str, unlink: &Node) -> Answer {
        if text_attr(unlink, "unlink_type").as_deref() != Some("sub_group") {
            return Err(BAD_REQUEST);
        }
        let mut act = self.act(request, id)?;
        act.require_admin()?;
        let mut results = Vec::new();
        for wanted in unlink.get_children_by_tag("group") {
            let Some(jid) = jid_attr(wanted, "jid") else {
                continue;
            };
            let group = act.change.group(&jid.user);
            let group = group.filter(|group| is_linked_to(group, id));
            let error = match &group {
                None => Some(404),
                Some(group) if group.link.as_ref().is_some_and(|link| link.is_default) => Some(406),
                Some(_) => None,
            };
            results.push(result_for(&jid.user, error));
            let (Some(mut group), None) = (group, error) else {
                continue;
            };
            group.link = None;
            act.tell_all(unlink_node("sub_group", "unlink_group", &group));
            let to_group = unlink_node("parent_group", "unlink_group", &act.group);
            let numbers = group.numbers();
            act.change.tell(&group.id, act.author, to_group, &numbers);
            act.change.put(group);
            let removes = text_attr(wanted, "remove_orphaned_members").as_deref() == Some("true");
            if removes {
                let orphans = orphans(&act.change, self, id, &numbers);
                act.change.part(&mut act.group, act.author, &orphans);
                for mut default in default_groups(&act.change, self, id) {
                    act.change.part(&mut default, act.author, &orphans);
                    act.change.put(default);
                }
            }
        }
        let unlink = NodeBuilder::new("unlink")
            .attr("unlink_type", "sub_group")
            .children(results)
            .build();
        act.finish(vec![unlink])
    }

    /// Ends a community; its groups go on, but for the one for announcements.
    pub(super) fn end_community(&self, request: &Request<'_>, id: &str) -> Answer {
        let mut act = self.act(request, id)?;
        act.require_admin()?;
        if act.group.community.is_none() {
            return Err(NOT_ACCEPTABLE);
        }
        for linked in self.inner.groups.of_community(id) {
            let mut group = GroupRecord::clone(&linked);
            let link = group.link.take().unwrap_or_default();
            let numbers = group.numbers();
            if link.is_default {
                let delete = NodeBuilder::new("delete").attr("reason", "delete_parent");
                act.change
                    .tell(&group.id, act.author, delete.build(), &numbers);
                act.change.end(&group.id);
            } else {
                let unlink = unlink_node("parent_group", "delete_parent", &act.group);
                act.change.tell(&group.id, act.author, unlink, &numbers);
                act.change.put(group);
            }
        }
        act.tell_all(NodeBuilder::new("delete").build());
        act.change.end(id);
        act.change.commit()?;
        Ok(vec![NodeBuilder::new("delete_parent").build()])
    }

    /// A group of the community, for those who are in the community and not in the group.
    pub(super) fn linked_group(&self, request: &Request<'_>, id: &str, query: &Node) -> Answer {
        self.member_of(request, id)?;
        let jid = jid_attr(query, "jid").ok_or(BAD_REQUEST)?;
        let group = self.inner.groups.get(&jid.user).ok_or(NOT_FOUND)?;
        if !is_linked_to(&group, id) {
            return Err(NOT_FOUND);
        }
        Ok(vec![linked(&group)])
    }

    pub(super) fn join_linked_group(&self, request: &Request<'_>, id: &str, join: &Node) -> Answer {
        let own = &request.session.account;
        let jid = jid_attr(join, "jid").ok_or(BAD_REQUEST)?;
        let mut change = self.change_groups();
        let parent = change.group(id).ok_or(NOT_FOUND)?;
        parent.role_of(&own.number).ok_or(FORBIDDEN)?;
        let group = change.group(&jid.user);
        let mut group = group
            .filter(|group| is_linked_to(group, id))
            .ok_or(NOT_FOUND)?;
        check_newcomer(&group, own)?;
        if group.needs_approval {
            self.ask_to_join(&mut change, &mut group, own, "linked_group_join");
        } else {
            let reason = Some("linked_group_join");
            change.admit(&mut group, own, std::slice::from_ref(own), reason);
        }
        let answer = linked(&group);
        change.put(group);
        change.commit()?;
        Ok(vec![answer])
    }

    /// Everybody who is in any group of the community.
    pub(super) fn community_members(&self, request: &Request<'_>, id: &str) -> Answer {
        let parent = self.member_of(request, id)?;
        if parent.community.is_none() {
            return Err(NOT_ACCEPTABLE);
        }
        let groups = self.inner.groups.of_community(id);
        let mut members: BTreeMap<&String, Node> = BTreeMap::new();
        for group in groups.iter().chain([&parent]) {
            for (number, member) in &group.members {
                members.insert(number, participant_node(number, member));
            }
        }
        Ok(vec![
            NodeBuilder::new("linked_groups_participants")
                .children(members.into_values())
                .build(),
        ])
    }
}

/// A group that its admin may link.
fn linkable(change: &Change<'_>, id: &str, author: &AccountCell) -> Result<GroupRecord, u16> {
    let group = change.group(id).ok_or(404_u16)?;
    let role = group.role_of(&author.number).ok_or(403_u16)?;
    if !role.is_admin() {
        return Err(403);
    }
    if group.community.is_some() || group.link.is_some() {
        return Err(406);
    }
    Ok(group)
}

fn is_linked_to(group: &GroupRecord, parent: &str) -> bool {
    group
        .link
        .as_ref()
        .is_some_and(|link| link.parent == parent)
}

fn default_groups(change: &Change<'_>, server: &Server, parent: &str) -> Vec<GroupRecord> {
    let groups = server.inner.groups.of_community(parent);
    let groups = groups.iter().filter_map(|group| change.group(&group.id));
    groups
        .filter(|group| group.link.as_ref().is_some_and(|link| link.is_default))
        .collect()
}

/// Those of `numbers` who are in no other group of the community and do not manage it.
fn orphans(change: &Change<'_>, server: &Server, parent: &str, numbers: &[String]) -> Vec<String> {
    let groups: Vec<GroupRecord> = server
        .inner
        .groups
        .of_community(parent)
        .iter()
        .filter_map(|group| change.group(&group.id))
        .filter(|group| group.link.as_ref().is_some_and(|link| !link.is_default))
        .collect();
    let manages = |number: &str| {
        let parent = change.group(parent);
        parent.is_some_and(|parent| parent.role_of(number).is_some_and(Role::is_admin))
    };
    let is_elsewhere = |number: &str| {
        let mut groups = groups.iter();
        groups.any(|group| group.members.contains_key(number))
    };
    let orphans = numbers
        .iter()
        .filter(|number| !is_elsewhere(number) && !manages(number));
    orphans.cloned().collect()
}

fn linked(group: &GroupRecord) -> Node {
    NodeBuilder::new("linked_group")
        .children([group_node(group, true)])
        .build()
}

fn reference(group: &GroupRecord) -> Node {
    NodeBuilder::new("group")
        .attr("jid", group_jid(&group.id))
        .attr("subject", &group.subject)
        .attr("s_t", group.subject_at_s)
        .build()
}

fn link_node(kind: &'static str, group: &GroupRecord) -> Node {
    NodeBuilder::new("link")
        .attr("link_type", kind)
        .children([reference(group)])
        .build()
}

fn unlink_node(kind: &'static str, reason: &'static str, group: &GroupRecord) -> Node {
    NodeBuilder::new("unlink")
        .attr("unlink_type", kind)
        .attr("unlink_reason", reason)
        .children([reference(group)])
        .build()
}
