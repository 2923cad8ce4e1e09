//! How newsletters and posts are shown: to people, in GraphQL, and in stanzas.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::book::Entry;
use super::record::{NewsletterRecord, PostRecord};

/// A newsletter, as the control API shows it.
#[derive(Debug, Clone)]
pub struct Newsletter {
    /// Its address.
    pub jid: Jid,
    /// Its name.
    pub name: String,
    /// Its description; empty where there is none.
    pub description: String,
    /// What its invitation link ends with.
    pub invite_code: String,
    /// How many accounts follow it, its owner included.
    pub subscribers: usize,
    /// Its picture, a JPEG; empty where there is none.
    pub picture: Vec<u8>,
}

/// A post, as the control API shows it.
#[derive(Debug, Clone)]
pub struct NewsletterPost {
    /// The id that its author gave it.
    pub id: String,
    /// The server's number of it.
    pub server_id: u64,
    /// The author's number.
    pub author: String,
    /// The message, marshalled; empty when it was revoked.
    pub plaintext: Vec<u8>,
    /// How often each reaction was given.
    pub reactions: BTreeMap<String, usize>,
    /// How many accounts have seen it.
    pub views: usize,
}

/// What became of a post.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// The server's number of it.
    pub server_id: u64,
}

impl Newsletter {
    pub(super) fn of(record: &NewsletterRecord) -> Self {
        Self {
            jid: record.jid(),
            name: record.name.clone(),
            description: record.description.clone(),
            invite_code: record.invite.clone(),
            subscribers: record.followers.len(),
            picture: record
                .picture
                .as_ref()
                .map(|picture| picture.jpeg.clone())
                .unwrap_or_default(),
        }
    }
}

impl NewsletterPost {
    pub(super) fn of(post: &PostRecord) -> Self {
        let reactions = post.reaction_counts().into_iter();
        Self {
            id: post.id.clone(),
            server_id: post.server_id,
            author: post.author.clone(),
            plaintext: post.plaintext.clone(),
            reactions: reactions
                .map(|(code, count)| (code.to_owned(), count))
                .collect(),
            views: post.viewers.len(),
        }
    }
}

impl Entry {
    /// The newsletter in GraphQL answers, as an account sees it.
    ///
    /// Numbers are written as texts (whatsapp-rust `features::newsletter`).
    pub(super) fn graph(&self, viewer: &str) -> Value {
        let record = &self.record;
        let text = |text: &str, at_s: i64| {
            json!({
                "id": at_s.to_string(),
                "text": text,
                "update_time": at_s.to_string(),
            })
        };
        let picture = record
            .picture
            .as_ref()
            .map(|picture| json!({ "id": picture.id, "type": "IMAGE", "direct_path": "" }));
        let follower = record.followers.get(viewer);
        let switch = |is_on: bool| if is_on { "ON" } else { "OFF" };
        let is_muted = follower.is_some_and(|follower| follower.is_muted);
        let is_admin_muted = follower.is_some_and(|follower| follower.is_admin_muted);
        json!({
            "id": record.jid().to_string(),
            "state": { "type": "ACTIVE" },
            "thread_metadata": {
                "creation_time": record.created_at_s.to_string(),
                "name": text(&record.name, record.name_set_at_s),
                "description": text(&record.description, record.description_set_at_s),
                "handle": null,
                "invite": record.invite,
                "picture": picture,
                "preview": null,
                "settings": { "reaction_codes": { "value": "ALL" } },
                "subscribers_count": record.followers.len().to_string(),
                "verification": "UNVERIFIED",
            },
            "viewer_metadata": {
                "role": follower.map_or("GUEST", |follower| follower.role.as_str()),
                "mute": switch(is_muted),
                "settings": [
                    { "type": "MUTE_FOLLOWER_ACTIVITY", "value": switch(is_muted) },
                    { "type": "MUTE_ADMIN_ACTIVITY", "value": switch(is_admin_muted) },
                ],
            },
        })
    }
}

impl PostRecord {
    /// The post as a message: on its own with `from`, or in a list without.
    pub(super) fn node(&self, from: Option<&Jid>, viewer: &str) -> Node {
        let mut message = NodeBuilder::new("message");
        if let Some(from) = from {
            message = message.attr("from", from);
        }
        message = message
            .attr("id", &self.id)
            .attr("server_id", self.server_id)
            .attr("t", self.at_s)
            .attr("type", &self.kind);
        if self.author == viewer {
            message = message.attr("is_sender", "true");
        }
        message.children(self.children(from.is_none())).build()
    }

    fn children(&self, is_listed: bool) -> Vec<Node> {
        let mut children = Vec::new();
        if let Some(edited_at_s) = self.edited_at_s {
            children.push(
                NodeBuilder::new("meta")
                    .attr("msg_edit_t", edited_at_s)
                    .attr("original_msg_t", self.at_s)
                    .build(),
            );
        }
        let mut plaintext = NodeBuilder::new("plaintext");
        if let Some(media_type) = &self.media_type {
            plaintext = plaintext.attr("mediatype", media_type);
        }
        children.push(plaintext.bytes(self.plaintext.clone()).build());
        if is_listed {
            children.extend(self.counts());
        }
        children
    }

    /// The post's news alone.
    pub(super) fn live_node(&self) -> Node {
        NodeBuilder::new("message")
            .attr("id", &self.id)
            .attr("server_id", self.server_id)
            .attr("t", self.at_s)
            .attr("type", &self.kind)
            .children(self.counts())
            .build()
    }

    fn counts(&self) -> Vec<Node> {
        let views = NodeBuilder::new("views_count").attr("count", self.viewers.len());
        let counts = self.reaction_counts().into_iter();
        let reactions = counts.map(|(code, count)| {
            NodeBuilder::new("reaction")
                .attr("code", code)
                .attr("count", count)
                .build()
        });
        let reactions = NodeBuilder::new("reactions").children(reactions);
        vec![views.build(), reactions.build()]
    }
}
