//! What a group is called and how it behaves.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::act::Act;
use super::router::{Answer, BAD_REQUEST, Fault, NOT_ACCEPTABLE};
use crate::server::api::Server;
use crate::server::groups::{Description, Person, approval_mode, mark};
use crate::server::iq::router::Request;
use crate::server::jids::Addressing;
use crate::server::stanza::{content_bytes, number_attr, text_attr};

/// The most characters of a subject (wacore `iq::groups::GROUP_SUBJECT_MAX_LENGTH`).
pub(super) const MAX_SUBJECT_LEN: usize = 100;

/// The most characters of a description (wacore `iq::groups::GROUP_DESCRIPTION_MAX_LENGTH`).
pub(super) const MAX_DESCRIPTION_LEN: usize = 2_048;

/// Messages disappear after a year at the latest.
const MAX_EPHEMERAL_S: u64 = 365 * 86_400;

/// The highest source of a timer (wacore `iq::groups::EPHEMERAL_TRIGGER_MAX`).
const MAX_TRIGGER: u32 = 20;

/// Settings that are on when their first tag was sent last, and off after the second.
const MARKS: [(&str, &str); 3] = [
    ("no_frequently_forwarded", "frequently_forwarded_ok"),
    ("allow_admin_reports", "not_allow_admin_reports"),
    ("group_history", "no_group_history"),
];

impl Server {
    pub(super) fn change_setting(&self, request: &Request<'_>, id: &str, child: &Node) -> Answer {
        let mut act = self.act(request, id)?;
        let action = match &*child.tag {
            "subject" => self.rename(&mut act, child)?,
            "description" => self.describe(&mut act, child)?,
            "ephemeral" | "not_ephemeral" => set_timer(&mut act, child)?,
            _ => toggle(&mut act, child)?,
        };
        act.tell_all(action);
        act.finish(Vec::new())
    }

    fn rename(&self, act: &mut Act<'_>, child: &Node) -> Result<Node, Fault> {
        act.require_editor()?;
        let subject = text_in(child)?;
        if subject.is_empty() || subject.chars().count() > MAX_SUBJECT_LEN {
            return Err(NOT_ACCEPTABLE);
        }
        act.group.subject = subject;
        act.group.subject_by = Person::of(act.author);
        act.group.subject_at_s = self.inner.now_s();
        Ok(NodeBuilder::new("subject")
            .attr("subject", &act.group.subject)
            .attr("s_o", act.author.jid(Addressing::Lid))
            .attr("s_o_pn", act.author.jid(Addressing::Pn))
            .attr("s_t", act.group.subject_at_s)
            .build())
    }

    /// A description follows the one that it names; otherwise somebody else was faster.
    fn describe(&self, act: &mut Act<'_>, child: &Node) -> Result<Node, Fault> {
        act.require_editor()?;
        let before = act.group.description.as_ref().map(|known| &known.id);
        if text_attr(child, "prev").as_ref() != before {
            return Err(Fault::Refused(409));
        }
        let text = match child.get_optional_child("body") {
            Some(body) => Some(text_in(body)?).filter(|text| !text.is_empty()),
            None if text_attr(child, "delete").as_deref() == Some("true") => None,
            None => return Err(BAD_REQUEST),
        };
        let is_too_long = |text: &String| text.chars().count() > MAX_DESCRIPTION_LEN;
        if text.as_ref().is_some_and(is_too_long) {
            return Err(NOT_ACCEPTABLE);
        }
        let id = text_attr(child, "id").filter(|id| !id.is_empty());
        let description = Description {
            id: id.ok_or(BAD_REQUEST)?,
            text,
            by: Person::of(act.author),
            at_s: self.inner.now_s(),
        };
        let content = match &description.text {
            Some(text) => NodeBuilder::new("body")
                .string_content(text.as_str())
                .build(),
            None => NodeBuilder::new("delete").build(),
        };
        let node = NodeBuilder::new("description")
            .attr("id", &description.id)
            .children([content])
            .build();
        act.group.description = Some(description);
        Ok(node)
    }
}

fn set_timer(act: &mut Act<'_>, child: &Node) -> Result<Node, Fault> {
    act.require_editor()?;
    if child.tag == "not_ephemeral" {
        (act.group.ephemeral_s, act.group.ephemeral_trigger) = (0, None);
        return Ok(mark("not_ephemeral"));
    }
    let seconds = number_attr(child, "expiration")
        .filter(|seconds| (1..=MAX_EPHEMERAL_S).contains(seconds))
        .and_then(|seconds| u32::try_from(seconds).ok());
    act.group.ephemeral_s = seconds.ok_or(NOT_ACCEPTABLE)?;
    act.group.ephemeral_trigger = number_attr(child, "trigger")
        .and_then(|trigger| u32::try_from(trigger).ok())
        .filter(|trigger| *trigger <= MAX_TRIGGER);
    let mut node = NodeBuilder::new("ephemeral").attr("expiration", act.group.ephemeral_s);
    if let Some(trigger) = act.group.ephemeral_trigger {
        node = node.attr("trigger", trigger);
    }
    Ok(node.build())
}

/// What only admins switch.
fn toggle(act: &mut Act<'_>, child: &Node) -> Result<Node, Fault> {
    let tag = &*child.tag;
    let marked = MARKS.iter().find(|(on, off)| *on == tag || *off == tag);
    let is_known = matches!(
        tag,
        "locked"
            | "unlocked"
            | "announcement"
            | "not_announcement"
            | "membership_approval_mode"
            | "member_add_mode"
            | "member_link_mode"
    );
    if !is_known && marked.is_none() {
        return Err(Fault::Refused(501));
    }
    act.require_admin()?;
    let group = &mut act.group;
    match tag {
        "locked" | "unlocked" => group.is_locked = tag == "locked",
        "announcement" | "not_announcement" => group.is_announcement = tag == "announcement",
        "membership_approval_mode" => {
            group.needs_approval = is_on(child);
            return Ok(approval_mode(group.needs_approval));
        }
        "member_add_mode" | "member_link_mode" => {
            let mode = mode_of(child);
            let (is_open, setting) = match &*mode {
                "all_member_add" => (true, &mut group.is_adding_open),
                "admin_add" => (false, &mut group.is_adding_open),
                "all_member_link" => (true, &mut group.is_link_open),
                "admin_link" => (false, &mut group.is_link_open),
                _ => return Err(BAD_REQUEST),
            };
            *setting = is_open;
            return Ok(Node {
                content: child.content.clone(),
                ..mark(tag)
            });
        }
        _ => {
            if let Some((on, _)) = marked {
                if *on == tag {
                    group.marks.insert(tag.to_owned());
                } else {
                    group.marks.remove(*on);
                }
            }
        }
    }
    Ok(mark(tag))
}

/// Whether `<membership_approval_mode>` switches it on.
pub(super) fn is_on(mode: &Node) -> bool {
    mode.get_optional_child("group_join")
        .and_then(|join| text_attr(join, "state"))
        .is_some_and(|state| state == "on")
}

/// The word inside an element.
pub(super) fn mode_of(node: &Node) -> String {
    text_in(node).unwrap_or_default()
}

fn text_in(node: &Node) -> Result<String, Fault> {
    let bytes = content_bytes(node).unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| BAD_REQUEST)
}
