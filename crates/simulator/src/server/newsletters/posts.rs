//! Posts, and what is said about them.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::deliver::parcels;
use crate::server::session::Session;
use crate::server::stanza::{ack_of, content_bytes, number_attr, text_attr};

use super::error::NewsletterError;
use super::record::{PostRecord, Role};
use super::show::Published;

/// The longest reaction, in bytes; an emoji may have many parts.
const MAX_REACTION_LEN: usize = 64;
/// So many posts are in one answer at most.
const MAX_PAGE: usize = 300;

/// What an admin's message does to an earlier post (wacore `types::message`).
const ADMIN_EDIT: &str = "3";
const ADMIN_REVOKE: &str = "8";
/// What `edit` says of a reaction that is taken back.
const SENDER_REVOKE: &str = "7";

/// What is to be posted.
struct Draft<'a> {
    id: &'a str,
    kind: String,
    media_type: Option<String>,
    plaintext: Vec<u8>,
}

/// Which posts are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::server) struct PostQuery {
    pub(in crate::server) count: Option<u64>,
    pub(in crate::server) before: Option<u64>,
    pub(in crate::server) after: Option<u64>,
}

impl Server {
    /// A message to a newsletter: a post, a change of one, or a reaction to one.
    pub(in crate::server) fn handle_newsletter_message(
        &self,
        session: &Session,
        node: &Node,
        (to, id): (&Jid, &str),
    ) -> Result<(), JournalError> {
        let number = &*session.account.number;
        let kind = text_attr(node, "type").unwrap_or_default();
        let outcome = if kind == "reaction" {
            let reaction = node.get_optional_child("reaction");
            let code = reaction.and_then(|reaction| text_attr(reaction, "code"));
            let is_taken_back = text_attr(node, "edit").as_deref() == Some(SENDER_REVOKE);
            match (number_attr(node, "server_id"), code) {
                (Some(server_id), Some(code)) if !code.is_empty() && !is_taken_back => self
                    .react_in_newsletter(number, to, server_id, &code)
                    .map(|()| None),
                (Some(server_id), None) if is_taken_back => self
                    .react_in_newsletter(number, to, server_id, "")
                    .map(|()| None),
                (Some(_), _) => Err(NewsletterError::InvalidReaction),
                (None, _) => Err(NewsletterError::UnknownPost),
            }
        } else {
            let plaintext = node.get_optional_child("plaintext");
            let Some(plaintext) = plaintext else {
                self.refuse(session, node, 479);
                return Ok(());
            };
            let draft = Draft {
                id,
                kind,
                media_type: text_attr(plaintext, "mediatype"),
                plaintext: content_bytes(plaintext).unwrap_or_default(),
            };
            let handle = text_attr(node, "media_id");
            let is_edit = node.attrs.contains_key("edit");
            let media_type = draft.media_type.as_deref();
            if !is_edit && !self.has_its_file(media_type, &draft.plaintext, handle.as_deref()) {
                self.refuse(session, node, 479);
                return Ok(());
            }
            let device = Some(session.device_id);
            match text_attr(node, "edit").as_deref() {
                Some(ADMIN_EDIT) => self.edit_post(number, device, to, &draft),
                Some(ADMIN_REVOKE) => self.revoke_post(number, device, to, id),
                _ => self.post(number, device, to, draft),
            }
            .map(Some)
        };
        match outcome {
            Ok(server_id) => {
                let mut ack = ack_of(node).attr("t", self.inner.now_s());
                if let Some(server_id) = server_id {
                    ack = ack.attr("server_id", server_id);
                }
                self.push_node(&session.account, &session.link, &ack.build());
                Ok(())
            }
            Err(NewsletterError::Journal(error)) => Err(error),
            Err(error) => {
                self.refuse(session, node, error.code().unwrap_or(500));
                Ok(())
            }
        }
    }

    /// Posts a message in a newsletter, as the account's primary device would.
    pub fn publish(
        &self,
        number: &str,
        jid: &Jid,
        plaintext: Vec<u8>,
    ) -> Result<Published, NewsletterError> {
        let id = format!("3EB0{}", self.inner.stanza_id());
        let draft = Draft {
            id: &id,
            kind: "text".to_owned(),
            media_type: None,
            plaintext,
        };
        let server_id = self.post(number, None, jid, draft)?;
        Ok(Published { id, server_id })
    }

    /// Reacts to a post; an empty emoji takes the reaction back.
    pub fn react_in_newsletter(
        &self,
        number: &str,
        jid: &Jid,
        server_id: u64,
        emoji: &str,
    ) -> Result<(), NewsletterError> {
        if emoji.len() > MAX_REACTION_LEN {
            return Err(NewsletterError::InvalidReaction);
        }
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        self.inner.newsletters.with(&jid.user, |entry| {
            if entry.record.role_of(number).is_none() {
                return Err(NewsletterError::Forbidden);
            }
            let mut post = entry.post(server_id)?.clone();
            if emoji.is_empty() {
                post.reactions.remove(number);
            } else {
                post.reactions.insert(number.to_owned(), emoji.to_owned());
            }
            entry.keep(batch, post);
            Ok(())
        })?;
        transaction.commit()?;
        self.tell_live(jid, server_id);
        Ok(())
    }

    /// A receipt of type `view` says which posts an account has seen.
    pub(in crate::server) fn count_views(
        &self,
        session: &Session,
        jid: &Jid,
        receipt: &Node,
    ) -> Result<(), JournalError> {
        let items = receipt.get_optional_child("list");
        let items = items.map(|list| list.get_children_by_tag("item"));
        let seen: Vec<u64> = items
            .into_iter()
            .flatten()
            .filter_map(|item| number_attr(item, "server_id"))
            .take(MAX_PAGE)
            .collect();
        let number = &session.account.number;
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let counted = self.inner.newsletters.with(&jid.user, |entry| {
            for server_id in &seen {
                if let Ok(post) = entry.post(*server_id)
                    && !post.viewers.contains(&**number)
                {
                    let mut post = post.clone();
                    post.viewers.insert(number.to_string());
                    entry.keep(batch, post);
                }
            }
            Ok(())
        });
        transaction.commit()?;
        if counted.is_ok() {
            for server_id in seen {
                self.tell_live(jid, server_id);
            }
        }
        Ok(())
    }

    /// The posts that are asked for, oldest first; the newest ones, where nothing else is said.
    pub(in crate::server) fn newsletter_page(
        &self,
        viewer: &str,
        jid: &Jid,
        query: PostQuery,
    ) -> Result<Vec<Node>, NewsletterError> {
        let count = query.count.and_then(|count| usize::try_from(count).ok());
        let count = count.unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let before = query.before.unwrap_or(u64::MAX);
        self.inner.newsletters.with(&jid.user, |entry| {
            let posts: Vec<Node> = if let Some(after) = query.after {
                let newer = entry.posts.range(after.saturating_add(1)..);
                let newer = newer.take_while(|(server_id, _)| **server_id < before);
                let page = newer.take(count);
                page.map(|(_, post)| post.node(None, viewer)).collect()
            } else {
                let older = entry.posts.range(..before).rev().take(count);
                let mut page: Vec<Node> = older.map(|(_, post)| post.node(None, viewer)).collect();
                page.reverse();
                page
            };
            Ok(posts)
        })
    }

    /// Keeps a post and hands it to all followers; one that comes again is not posted again.
    fn post(
        &self,
        number: &str,
        device_id: Option<u16>,
        jid: &Jid,
        draft: Draft<'_>,
    ) -> Result<u64, NewsletterError> {
        let at_s = self.inner.now_s();
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let (post, followers) = self.inner.newsletters.with(&jid.user, |entry| {
            if !entry.record.role_of(number).is_some_and(Role::is_admin) {
                return Err(NewsletterError::Forbidden);
            }
            if let Some(known) = entry.post_by_id(draft.id)
                && known.author == number
            {
                return Ok((known.clone(), Vec::new()));
            }
            let post = PostRecord {
                server_id: entry.record.next_server_id,
                id: draft.id.to_owned(),
                author: number.to_owned(),
                kind: draft.kind,
                media_type: draft.media_type,
                at_s,
                edited_at_s: None,
                is_revoked: false,
                plaintext: draft.plaintext,
                viewers: std::collections::BTreeSet::new(),
                reactions: std::collections::BTreeMap::new(),
            };
            entry.record.next_server_id += 1;
            entry.write(batch);
            entry.keep(batch, post.clone());
            let followers: Vec<String> = entry.record.followers.keys().cloned().collect();
            Ok((post, followers))
        })?;
        let author = (number, device_id);
        self.hand_out(&mut transaction, author, &followers, |viewer| {
            post.node(Some(jid), viewer)
        });
        transaction.commit()?;
        Ok(post.server_id)
    }

    fn edit_post(
        &self,
        number: &str,
        device_id: Option<u16>,
        jid: &Jid,
        draft: &Draft<'_>,
    ) -> Result<u64, NewsletterError> {
        let at_s = self.inner.now_s();
        self.change_post((number, device_id), jid, draft.id, ADMIN_EDIT, |post| {
            post.plaintext.clone_from(&draft.plaintext);
            post.media_type.clone_from(&draft.media_type);
            post.edited_at_s = Some(at_s);
        })
    }

    fn revoke_post(
        &self,
        number: &str,
        device_id: Option<u16>,
        jid: &Jid,
        id: &str,
    ) -> Result<u64, NewsletterError> {
        self.change_post((number, device_id), jid, id, ADMIN_REVOKE, |post| {
            post.plaintext.clear();
            post.media_type = None;
            post.is_revoked = true;
        })
    }

    /// Changes a post and hands it out again; only admins do that.
    fn change_post(
        &self,
        author: (&str, Option<u16>),
        jid: &Jid,
        id: &str,
        edit: &'static str,
        change: impl FnOnce(&mut PostRecord),
    ) -> Result<u64, NewsletterError> {
        let mut transaction = self.begin();
        let batch = &mut transaction.batch;
        let (post, followers) = self.inner.newsletters.with(&jid.user, |entry| {
            if !entry.record.role_of(author.0).is_some_and(Role::is_admin) {
                return Err(NewsletterError::Forbidden);
            }
            let post = entry.post_by_id(id);
            let mut post = post.ok_or(NewsletterError::UnknownPost)?.clone();
            change(&mut post);
            entry.keep(batch, post.clone());
            let followers: Vec<String> = entry.record.followers.keys().cloned().collect();
            Ok((post, followers))
        })?;
        self.hand_out(&mut transaction, author, &followers, |viewer| {
            let mut node = post.node(Some(jid), viewer);
            node.attrs.insert("edit", edit);
            node
        });
        transaction.commit()?;
        Ok(post.server_id)
    }

    /// Queues a stanza for the followers' devices, other than the one that it comes from.
    fn hand_out(
        &self,
        transaction: &mut crate::server::transaction::Transaction<'_>,
        (author, device_id): (&str, Option<u16>),
        followers: &[String],
        node: impl Fn(&str) -> Node,
    ) {
        for number in followers {
            let Some(follower) = self.inner.directory.by_number(number) else {
                continue;
            };
            let is_author = *number == author;
            let device_ids = follower.device_ids().into_iter();
            let others = device_ids.filter(|id| !(is_author && Some(*id) == device_id));
            transaction.deliver(&follower, parcels(&node(number), others));
        }
    }
}

/// A list of posts.
pub(in crate::server) fn messages_node(jid: &Jid, at_s: i64, posts: Vec<Node>) -> Node {
    NodeBuilder::new("messages")
        .attr("jid", jid)
        .attr("t", at_s)
        .children(posts)
        .build()
}
