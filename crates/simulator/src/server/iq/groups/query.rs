//! What groups are like, for those who are in them.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::router::{Answer, Fault, NOT_ACCEPTABLE};
use crate::server::api::Server;
use crate::server::groups::{GroupRecord, group_jid, group_node};
use crate::server::iq::router::Request;
use crate::server::phash::phash;
use crate::server::stanza::{jid_attr, text_attr};

impl Server {
    /// The groups that the account is in.
    pub(super) fn participating(&self, request: &Request<'_>) -> Vec<Node> {
        let groups = self.inner.groups.of_member(&request.session.account.number);
        let groups = groups.iter().map(|group| group_node(group, true));
        vec![NodeBuilder::new("groups").children(groups).build()]
    }

    /// One group; nothing when the client knows its members already.
    pub(super) fn group_info(&self, request: &Request<'_>, id: &str, query: &Node) -> Answer {
        let group = self.member_of(request, id)?;
        let known = text_attr(query, "phash");
        if known.is_some_and(|known| known == phash(&members(&group))) {
            return Ok(Vec::new());
        }
        Ok(vec![group_node(&group, true)])
    }

    /// Many groups; those that the account may not see are answered with an error each.
    pub(super) fn group_batch(&self, request: &Request<'_>, query: &Node) -> Vec<Node> {
        let asked = query.get_children_by_tag("group");
        let groups = asked.filter_map(|group| {
            let jid = jid_attr(group, "jid")?;
            match self.member_of(request, &jid.user) {
                Ok(group) => Some(group_node(&group, true)),
                Err(Fault::Refused(code)) => Some(
                    NodeBuilder::new("group")
                        .attr("id", &*jid.user)
                        .attr("error", code)
                        .build(),
                ),
                Err(Fault::Journal(_)) => None,
            }
        });
        vec![NodeBuilder::new("groups").children(groups).build()]
    }

    /// The pictures of many groups; those without one are left out.
    pub(super) fn group_pictures(&self, request: &Request<'_>, asked: &Node) -> Vec<Node> {
        let asked = asked.get_children_by_tag("picture");
        let pictures = asked.filter_map(|picture| {
            let jid = jid_attr(picture, "jid")?;
            let group = self.member_of(request, &jid.user).ok()?;
            let (path, url) = self.picture_place(&group.id, group.picture_id?);
            let node = NodeBuilder::new("picture")
                .attr("jid", group_jid(&group.id))
                .attr("id", group.picture_id?)
                .attr("url", url)
                .attr("direct_path", path);
            Some(node.build())
        });
        vec![NodeBuilder::new("pictures").children(pictures).build()]
    }

    /// What somebody sees of a group that a link leads to.
    pub(super) fn invite_info(&self, invite: &Node) -> Answer {
        let code = text_attr(invite, "code").unwrap_or_default();
        let group = self.inner.groups.by_code(&code).ok_or(NOT_ACCEPTABLE)?;
        if group.invite_code != code {
            return Err(Fault::Refused(410));
        }
        Ok(vec![group_node(&group, false)])
    }
}

/// The members in the form that clients hash.
fn members(group: &GroupRecord) -> Vec<Jid> {
    let members = group.members.values();
    members.map(|member| Jid::lid(&*member.lid)).collect()
}
