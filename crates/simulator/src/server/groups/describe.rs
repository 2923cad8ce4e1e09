//! Groups in the form that clients read (wacore `iq::groups::GroupInfoResponse`).

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::server::jids::Addressing;

use super::record::{GroupRecord, Member, Role};

/// The address of the group with this id.
pub(in crate::server) fn group_jid(id: &str) -> Jid {
    Jid::group(id)
}

/// An element whose presence says everything.
pub(in crate::server) fn mark(tag: &str) -> Node {
    Node {
        tag: tag.to_owned().into(),
        ..Node::default()
    }
}

/// A member as groups and notifications list it.
pub(in crate::server) fn participant_node(number: &str, member: &Member) -> Node {
    let node = NodeBuilder::new("participant")
        .attr("jid", Jid::lid(&*member.lid))
        .attr("phone_number", Jid::pn(number));
    match member.role {
        Role::Member => node,
        Role::Admin => node.attr("type", "admin"),
        Role::SuperAdmin => node.attr("type", "superadmin"),
    }
    .build()
}

/// `<group>` with all there is to know; its members only when they are asked for.
pub(in crate::server) fn group_node(group: &GroupRecord, has_members: bool) -> Node {
    let mut children: Vec<Node> = Vec::with_capacity(group.members.len() + 8);
    if has_members {
        let members = group.members.iter();
        children.extend(members.map(|(number, member)| participant_node(number, member)));
    }
    children.extend(settings(group));
    children.extend(description(group));
    children.extend(place(group));
    NodeBuilder::new("group")
        .attr("id", &group.id)
        .attr("subject", &group.subject)
        .attr("addressing_mode", "lid")
        .attr("creator", group.creator.jid(Addressing::Lid))
        .attr("creator_pn", group.creator.jid(Addressing::Pn))
        .attr("creation", group.created_at_s)
        .attr("s_t", group.subject_at_s)
        .attr("s_o", group.subject_by.jid(Addressing::Lid))
        .attr("s_o_pn", group.subject_by.jid(Addressing::Pn))
        .attr("size", group.members.len())
        .children(children)
        .build()
}

fn settings(group: &GroupRecord) -> Vec<Node> {
    let mut children = Vec::new();
    if group.is_locked {
        children.push(mark("locked"));
    }
    if group.is_announcement {
        children.push(mark("announcement"));
    }
    if group.ephemeral_s > 0 {
        let mut ephemeral = NodeBuilder::new("ephemeral").attr("expiration", group.ephemeral_s);
        if let Some(trigger) = group.ephemeral_trigger {
            ephemeral = ephemeral.attr("trigger", trigger);
        }
        children.push(ephemeral.build());
    }
    if group.needs_approval {
        children.push(approval_mode(true));
    }
    let adding = if group.is_adding_open {
        "all_member_add"
    } else {
        "admin_add"
    };
    let link = if group.is_link_open {
        "all_member_link"
    } else {
        "admin_link"
    };
    let history = if group.is_history_open {
        "all_member_share"
    } else {
        "admin_share"
    };
    for (tag, mode) in [
        ("member_add_mode", adding),
        ("member_link_mode", link),
        ("member_share_group_history_mode", history),
    ] {
        children.push(NodeBuilder::new(tag).string_content(mode).build());
    }
    children.extend(group.marks.iter().map(|tag| mark(tag)));
    children
}

/// `<membership_approval_mode>`, also in notifications.
pub(in crate::server) fn approval_mode(is_on: bool) -> Node {
    let state = if is_on { "on" } else { "off" };
    NodeBuilder::new("membership_approval_mode")
        .children([NodeBuilder::new("group_join").attr("state", state).build()])
        .build()
}

fn description(group: &GroupRecord) -> Option<Node> {
    let description = group.description.as_ref()?;
    let node = NodeBuilder::new("description")
        .attr("id", &description.id)
        .attr("participant", description.by.jid(Addressing::Lid))
        .attr("participant_pn", description.by.jid(Addressing::Pn))
        .attr("t", description.at_s);
    let node = match &description.text {
        Some(text) => node.children([NodeBuilder::new("body")
            .string_content(text.as_str())
            .build()]),
        None => node,
    };
    Some(node.build())
}

/// Where the group is in a community.
fn place(group: &GroupRecord) -> Vec<Node> {
    let mut children = Vec::new();
    if let Some(community) = &group.community {
        let mut parent = NodeBuilder::new("parent");
        if community.is_closed {
            parent = parent.attr("default_membership_approval_mode", "request_required");
        }
        children.push(parent.build());
        if community.is_open_to_subgroups {
            children.push(mark("allow_non_admin_sub_group_creation"));
        }
    }
    if let Some(link) = &group.link {
        let parent = NodeBuilder::new("linked_parent").attr("jid", group_jid(&link.parent));
        children.push(parent.build());
        if link.is_default {
            children.push(mark("default_sub_group"));
        }
        if link.is_general_chat {
            children.push(mark("general_chat"));
        }
    }
    children
}
