//! Making groups, and communities with what belongs to them.

use std::sync::Arc;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::people::{MAX_MEMBERS, outcome};
use super::router::{Answer, BAD_REQUEST, FORBIDDEN, Fault, NOT_ACCEPTABLE, NOT_FOUND};
use super::settings::{MAX_DESCRIPTION_LEN, MAX_SUBJECT_LEN, is_on, mode_of};
use crate::server::api::Server;
use crate::server::groups::{
    AddRequest, Change, Community, Description, GroupRecord, Link, Member, Person, Role, group_node,
};
use crate::server::iq::router::Request;
use crate::server::stanza::{content_bytes, jid_attr, number_attr, text_attr};
use crate::server::state::AccountCell;

impl Server {
    pub(super) fn create_group(&self, request: &Request<'_>, create: &Node) -> Answer {
        let author = &request.session.account;
        let mut change = self.change_groups();
        let mut group = self.new_group(author, create)?;
        if let Some(parent) = create.get_optional_child("linked_parent") {
            let parent = jid_attr(parent, "jid").ok_or(BAD_REQUEST)?;
            group.link = Some(place_in(&change, &parent.user, author)?);
        }
        let mut members = Vec::new();
        let mut refused = Vec::new();
        for named in self.named(create) {
            let Some(account) = &named.account else {
                refused.push(outcome(&named, Some(404)).build());
                continue;
            };
            if account.number == author.number {
                continue;
            }
            match self.objection(&group, author, account) {
                None if members.len() + 1 < MAX_MEMBERS => members.push(account.clone()),
                None => refused.push(outcome(&named, Some(419)).build()),
                Some(403) => {
                    let invitation = self.invite_one(&mut group, author, account);
                    let node = outcome(&named, Some(403)).children([invitation]);
                    refused.push(node.build());
                }
                Some(code) => refused.push(outcome(&named, Some(code)).build()),
            }
        }
        self.open_group(&mut change, &mut group, author, &members);
        if let Some(community) = &group.community {
            let is_general = create.get_optional_child("create_general_chat").is_some();
            self.open_default_groups(&mut change, &group, *community, author, is_general);
        }
        let mut node = group_node(&group, true);
        if !refused.is_empty() {
            let known = node.children().unwrap_or_default();
            let children = known.iter().cloned().chain(refused).collect();
            node.content = Some(wacore_binary::NodeContent::Nodes(children));
        }
        change.put(group);
        change.commit()?;
        Ok(vec![node])
    }

    fn new_group(&self, author: &AccountCell, create: &Node) -> Result<GroupRecord, Fault> {
        let now_s = self.inner.now_s();
        let subject = text_attr(create, "subject").unwrap_or_default();
        if subject.is_empty() || subject.chars().count() > MAX_SUBJECT_LEN {
            return Err(NOT_ACCEPTABLE);
        }
        let child = |tag| create.get_optional_child(tag);
        let description = match child("description") {
            None => None,
            Some(node) => {
                let text = node.get_optional_child("body").and_then(content_bytes);
                let text = String::from_utf8(text.ok_or(BAD_REQUEST)?).map_err(|_| BAD_REQUEST)?;
                if text.chars().count() > MAX_DESCRIPTION_LEN {
                    return Err(NOT_ACCEPTABLE);
                }
                Some(Description {
                    id: text_attr(node, "id").ok_or(BAD_REQUEST)?,
                    text: Some(text),
                    by: Person::of(author),
                    at_s: now_s,
                })
            }
        };
        let ephemeral = child("ephemeral").and_then(|node| number_attr(node, "expiration"));
        Ok(GroupRecord {
            id: self.new_group_id(),
            creator: Person::of(author),
            created_at_s: now_s,
            subject,
            subject_by: Person::of(author),
            subject_at_s: now_s,
            description,
            is_locked: child("locked").is_some(),
            is_announcement: child("announcement").is_some(),
            needs_approval: child("membership_approval_mode").is_some_and(is_on),
            is_adding_open: child("member_add_mode")
                .is_none_or(|node| mode_of(node) == "all_member_add"),
            is_link_open: child("member_link_mode")
                .is_some_and(|node| mode_of(node) == "all_member_link"),
            ephemeral_s: ephemeral
                .and_then(|seconds| u32::try_from(seconds).ok())
                .unwrap_or_default(),
            invite_code: self.new_invite_code(),
            community: child("parent").map(|parent| Community {
                is_closed: parent
                    .attrs
                    .contains_key("default_membership_approval_mode"),
                is_open_to_subgroups: child("allow_non_admin_sub_group_creation").is_some(),
            }),
            ..GroupRecord::default()
        })
    }

    /// Puts its first members into a group and tells them.
    fn open_group(
        &self,
        change: &mut Change<'_>,
        group: &mut GroupRecord,
        author: &AccountCell,
        members: &[Arc<AccountCell>],
    ) {
        let now_s = self.inner.now_s();
        let member = |account: &AccountCell, role| Member {
            lid: account.lid.to_string(),
            role,
            joined_at_s: now_s,
        };
        let creator = member(author, Role::SuperAdmin);
        group.members.insert(author.number.to_string(), creator);
        for account in members {
            let member = member(account, Role::Member);
            group.members.insert(account.number.to_string(), member);
        }
        let create = NodeBuilder::new("create")
            .attr("type", "new")
            .children([group_node(group, true)])
            .build();
        change.tell(&group.id, author, create, group.numbers());
        change.admit_to_community(group, author, members);
    }

    /// The groups that every community has: the one for announcements, and perhaps one for talk.
    fn open_default_groups(
        &self,
        change: &mut Change<'_>,
        parent: &GroupRecord,
        community: Community,
        author: &AccountCell,
        has_general_chat: bool,
    ) {
        let link = |is_general_chat: bool| Link {
            parent: parent.id.clone(),
            is_default: !is_general_chat,
            is_general_chat,
        };
        let kinds = if has_general_chat {
            vec![link(false), link(true)]
        } else {
            vec![link(false)]
        };
        for link in kinds {
            let mut group = GroupRecord {
                id: self.new_group_id(),
                creator: Person::of(author),
                created_at_s: parent.created_at_s,
                subject: if link.is_general_chat {
                    "General".to_owned()
                } else {
                    parent.subject.clone()
                },
                subject_by: Person::of(author),
                subject_at_s: parent.created_at_s,
                is_announcement: link.is_default,
                needs_approval: community.is_closed && link.is_general_chat,
                invite_code: self.new_invite_code(),
                link: Some(link),
                ..GroupRecord::default()
            };
            self.open_group(change, &mut group, author, &[]);
            change.put(group);
        }
    }

    /// Notes an invitation for somebody who wants to be asked.
    pub(super) fn invite_one(
        &self,
        group: &mut GroupRecord,
        admin: &AccountCell,
        person: &AccountCell,
    ) -> Node {
        let invitation = AddRequest {
            code: self.new_invite_code(),
            // Three days, as in the clients' texts about it.
            expires_at_s: self.inner.now_s() + 3 * 86_400,
            admin: admin.number.to_string(),
        };
        let node = NodeBuilder::new("add_request")
            .attr("code", &invitation.code)
            .attr("expiration", invitation.expires_at_s)
            .build();
        let number = person.number.to_string();
        group.add_requests.insert(number, invitation);
        node
    }
}

/// Where a new group is in a community, when its maker may make groups there.
fn place_in(change: &Change<'_>, parent: &str, author: &AccountCell) -> Result<Link, Fault> {
    let parent = change.group(parent).ok_or(NOT_FOUND)?;
    let community = parent.community.ok_or(NOT_ACCEPTABLE)?;
    let role = parent.role_of(&author.number).ok_or(FORBIDDEN)?;
    if !role.is_admin() && !community.is_open_to_subgroups {
        return Err(FORBIDDEN);
    }
    Ok(Link {
        parent: parent.id,
        ..Link::default()
    })
}
