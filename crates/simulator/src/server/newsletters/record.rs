//! What the journal keeps of a newsletter.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wacore_binary::{Jid, Server as JidServer};

/// The first post's number; clients take smaller ones for none (wacore `messages`).
const FIRST_SERVER_ID: u64 = 100;

/// What an account may do in a newsletter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Owner,
    Admin,
    Subscriber,
}

impl Role {
    /// The role in GraphQL answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "OWNER",
            Self::Admin => "ADMIN",
            Self::Subscriber => "SUBSCRIBER",
        }
    }

    /// Whether it may post and change the newsletter.
    pub(crate) fn is_admin(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }
}

/// An account that follows a newsletter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Follower {
    pub(crate) role: Role,
    /// Whether news of posts are silenced (`MUTE_FOLLOWER_ACTIVITY`).
    #[serde(default)]
    pub(crate) is_muted: bool,
    /// Whether news for admins are silenced (`MUTE_ADMIN_ACTIVITY`).
    #[serde(default)]
    pub(crate) is_admin_muted: bool,
}

impl Follower {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            is_muted: false,
            is_admin_muted: false,
        }
    }
}

/// A picture of a newsletter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub(crate) id: String,
    #[serde(with = "hex::serde")]
    pub(crate) jpeg: Vec<u8>,
}

/// A newsletter without its posts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NewsletterRecord {
    /// The user part of its address.
    pub(crate) user: String,
    pub(crate) name: String,
    pub(crate) name_set_at_s: i64,
    pub(crate) description: String,
    pub(crate) description_set_at_s: i64,
    /// The picture, a JPEG.
    #[serde(default)]
    pub(crate) picture: Option<Picture>,
    /// What its invitation link ends with.
    pub(crate) invite: String,
    pub(crate) created_at_s: i64,
    /// By number.
    pub(crate) followers: BTreeMap<String, Follower>,
    pub(crate) next_server_id: u64,
}

impl NewsletterRecord {
    pub(crate) fn new(user: String, invite: String, owner: &str, at_s: i64) -> Self {
        let owner = (owner.to_owned(), Follower::new(Role::Owner));
        Self {
            user,
            name: String::new(),
            name_set_at_s: at_s,
            description: String::new(),
            description_set_at_s: at_s,
            picture: None,
            invite,
            created_at_s: at_s,
            followers: BTreeMap::from([owner]),
            next_server_id: FIRST_SERVER_ID,
        }
    }

    pub(crate) fn jid(&self) -> Jid {
        Jid::new(&self.user, JidServer::Newsletter)
    }

    pub(crate) fn role_of(&self, number: &str) -> Option<Role> {
        self.followers.get(number).map(|follower| follower.role)
    }
}

/// A post.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PostRecord {
    /// The server's number of it, which reactions and pages name.
    pub(crate) server_id: u64,
    /// The id that its author gave it, which edits name.
    pub(crate) id: String,
    /// The author's number.
    pub(crate) author: String,
    /// The stanza's `type`: `text`, `media`, `poll`…
    pub(crate) kind: String,
    /// The plaintext's `mediatype`.
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    pub(crate) at_s: i64,
    #[serde(default)]
    pub(crate) edited_at_s: Option<i64>,
    #[serde(default)]
    pub(crate) is_revoked: bool,
    /// The message, marshalled; empty when it was revoked.
    #[serde(with = "hex::serde")]
    pub(crate) plaintext: Vec<u8>,
    /// Who has seen it, by number.
    #[serde(default)]
    pub(crate) viewers: BTreeSet<String>,
    /// Reactions, by number.
    #[serde(default)]
    pub(crate) reactions: BTreeMap<String, String>,
}

impl PostRecord {
    /// How often each reaction was given.
    pub(crate) fn reaction_counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for emoji in self.reactions.values() {
            *counts.entry(emoji.as_str()).or_default() += 1;
        }
        counts
    }
}

/// The journal key of a post: in a newsletter's order.
pub(crate) fn post_key(user: &str, server_id: u64) -> Vec<u8> {
    let mut key = format!("{user}:").into_bytes();
    key.extend_from_slice(&server_id.to_be_bytes());
    key
}
