//! Pictures of groups (`w:profile:picture` with a group as its target).

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::router::{Answer, NOT_ACCEPTABLE};
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::groups::GroupRecord;
use crate::server::iq::picture::is_too_large;
use crate::server::iq::router::Request;
use crate::server::jids::Addressing;
use crate::server::record::namespace;
use crate::server::stanza::content_bytes;

impl Server {
    pub(in crate::server::iq) fn get_group_picture(
        &self,
        request: &Request<'_>,
        jid: &Jid,
    ) -> Result<Node, JournalError> {
        match self.member_of(request, &jid.user) {
            Ok(group) => self.show_picture(request, &group.id, &key(&group.id), group.picture_id),
            Err(fault) => request.refuse(fault),
        }
    }

    pub(in crate::server::iq) fn set_group_picture(
        &self,
        request: &Request<'_>,
        jid: &Jid,
    ) -> Result<Node, JournalError> {
        match self.change_picture(request, &jid.user) {
            Ok(children) => Ok(request.result(children)),
            Err(fault) => request.refuse(fault),
        }
    }

    fn change_picture(&self, request: &Request<'_>, id: &str) -> Answer {
        let mut act = self.act(request, id)?;
        act.require_editor()?;
        let image = request.child("picture").and_then(content_bytes);
        if image.as_deref().is_some_and(is_too_large) {
            return Err(NOT_ACCEPTABLE);
        }
        let batch = &mut act.change.transaction.batch;
        let action = if let Some(image) = image {
            batch.put(namespace::PICTURE, key(id), image);
            let picture_id = self.inner.config.clock.now_ms().unsigned_abs();
            act.group.picture_id = Some(picture_id);
            NodeBuilder::new("set").attr("id", picture_id)
        } else {
            batch.delete(namespace::PICTURE, key(id));
            act.group.picture_id = None;
            NodeBuilder::new("delete")
        };
        let action = action
            .attr("jid", act.group.jid())
            .attr("author", act.author.jid(Addressing::Lid))
            .build();
        let numbers = act.group.numbers();
        act.change
            .tell_as("picture", id, act.author, action, numbers);
        let answer = act
            .group
            .picture_id
            .map(|picture_id| NodeBuilder::new("picture").attr("id", picture_id).build());
        act.finish(answer.into_iter().collect())
    }

    /// The image of a group, when it is the one with this id.
    pub(in crate::server::iq) fn picture_of_group(
        &self,
        group: &GroupRecord,
        picture_id: u64,
    ) -> Option<bytes::Bytes> {
        if group.picture_id != Some(picture_id) {
            return None;
        }
        let image = self.inner.journal.get(namespace::PICTURE, key(&group.id));
        image.ok().flatten()
    }
}

/// Where a group's picture lies; numbers have no letters.
fn key(id: &str) -> String {
    format!("group:{id}")
}
