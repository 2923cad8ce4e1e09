//! Sending where messages are not for one chat's members: posts of channels, and stories.

use wagate_model::{Jid, JidKind};
use whatsapp_rust::anyhow;
use whatsapp_rust::features::{
    BlockingError, NewsletterError, StatusPrivacySetting, StatusSendOptions,
};
use whatsapp_rust::wacore::iq::spec::IqSpec;
use whatsapp_rust::wacore::proto_helpers::MessageBuilderExt as _;
use whatsapp_rust::wacore::request::InfoQuery;
use whatsapp_rust::wacore_binary::builder::NodeBuilder;
use whatsapp_rust::wacore_binary::{Node, NodeContent, NodeRef};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, Jid as LibraryJid, SendError, SendOptions, Server};

use super::channel_files::post_file;
use super::hook::{other_address, own};
use crate::convert::{self, library_jid, model_jid};
use crate::{Outgoing, OutgoingContent};

/// How many posts of a channel are looked through for one that is reacted to.
const POSTS_PER_PAGE: u32 = 100;
const MAX_PAGES: usize = 5;

/// What a message's `edit` says where the sender takes something back.
const EDIT_REVOKED: &str = "7";

/// The id under which WhatsApp acknowledges a message.
///
/// A channel's posts are changed under their own id (whatsapp-rust `features::newsletter`).
pub(super) fn acknowledged_id(outgoing: &Outgoing) -> &str {
    match &outgoing.content {
        OutgoingContent::Edit { target, .. } | OutgoingContent::Revoke { target }
            if outgoing.chat.kind() == JidKind::Newsletter =>
        {
            &target.id
        }
        _ => &outgoing.id,
    }
}

/// Sends to a channel.
pub(super) async fn send_to_channel(
    client: &Client,
    outgoing: &Outgoing,
) -> Result<LibraryJid, SendError> {
    let channel = library_jid(&outgoing.chat);
    match &outgoing.content {
        OutgoingContent::Text(_) | OutgoingContent::Forward { .. } => {
            let message = convert::outgoing(outgoing, &own(client));
            let message = message.ok_or_else(|| cannot_be_built("content"))?;
            let options = SendOptions::default().with_message_id(outgoing.id.as_str());
            client
                .send_message_with_options(channel.clone(), message, options)
                .await?;
        }
        OutgoingContent::File(file) => {
            let message = convert::outgoing(outgoing, &own(client));
            let message = message.ok_or_else(|| cannot_be_built("file"))?;
            let uploaded = file.uploaded.as_ref();
            let handle = uploaded.and_then(|uploaded| uploaded.handle.as_deref());
            post_file(client, &channel, &outgoing.id, &message, handle).await?;
        }
        OutgoingContent::Edit { target, text } => {
            let message = wa::Message::text(text.as_str());
            let newsletter = client.newsletter();
            let edited = newsletter.edit_message(&channel, &*target.id, message);
            edited.await.map_err(channel_error)?;
        }
        OutgoingContent::Revoke { target } => {
            let newsletter = client.newsletter();
            let revoked = newsletter.revoke_message(&channel, &*target.id).await;
            revoked.map_err(channel_error)?;
        }
        OutgoingContent::Reaction { target, emoji } => {
            let server_id = server_id_of(client, &channel, &target.id).await?;
            client
                .send_node(channel_reaction(&outgoing.id, &channel, server_id, emoji))
                .await?;
        }
        _ => return Err(cannot_be_built("kind of message for a channel")),
    }
    Ok(channel)
}

/// A reaction to a post, or one taken back (whatsmeow `NewsletterSendReaction`).
///
/// The library gives such a message an id of its own, which could not be waited for.
fn channel_reaction(id: &str, channel: &LibraryJid, server_id: u64, emoji: &str) -> Node {
    let mut message = NodeBuilder::new("message")
        .attr("to", channel)
        .attr("type", "reaction")
        .attr("id", id)
        .attr("server_id", server_id);
    let mut reaction = NodeBuilder::new("reaction");
    if emoji.is_empty() {
        message = message.attr("edit", EDIT_REVOKED);
    } else {
        reaction = reaction.attr("code", emoji);
    }
    message.children([reaction.build()]).build()
}

/// The number that WhatsApp gave a post, by the id that its author gave it.
async fn server_id_of(client: &Client, channel: &LibraryJid, id: &str) -> Result<u64, SendError> {
    let mut before = None;
    for _ in 0..MAX_PAGES {
        let newsletter = client.newsletter();
        let page = newsletter.get_messages(channel.clone(), POSTS_PER_PAGE, before);
        let page = page.await.map_err(channel_error)?;
        if let Some(post) = page.iter().find(|post| post.message_id == id) {
            return Ok(post.server_id);
        }
        let oldest = page.iter().map(|post| post.server_id).min();
        if oldest.is_none() || oldest == before {
            break;
        }
        before = oldest;
    }
    Err(SendError::InvalidRequest("no such post".into()))
}

fn cannot_be_built(what: &str) -> SendError {
    SendError::InvalidRequest(format!("not a {what} that can be sent"))
}

fn channel_error(error: NewsletterError) -> SendError {
    match error {
        NewsletterError::Client(error) => error.into(),
        NewsletterError::Iq(error) => error.into(),
        NewsletterError::InvalidRequest(what) => SendError::InvalidRequest(what),
        other => SendError::Internal(other.into()),
    }
}

/// Posts a story, or deletes one, before those of `audience` who may see it, and the account's
/// other devices.
pub(super) async fn send_status(
    client: &Client,
    outgoing: &Outgoing,
    audience: &[Jid],
) -> Result<LibraryJid, SendError> {
    let is_story = matches!(
        outgoing.content,
        OutgoingContent::Status(_) | OutgoingContent::File(_) | OutgoingContent::Revoke { .. }
    );
    if !is_story {
        return Err(cannot_be_built("kind of message for a story"));
    }
    let me = own(client);
    let message = convert::outgoing(outgoing, &me);
    let message = message.ok_or_else(|| cannot_be_built("content"))?;
    let mut privacy = client.execute(StatusPrivacy).await?;
    if privacy.setting == StatusPrivacySetting::DenyList {
        exclude(client, &mut privacy.listed).await;
    }
    let mut hidden = blocked(client).await?;
    exclude(client, &mut hidden).await;
    let mut recipients = privacy.recipients(audience, &hidden);
    // WhatsApp posts before nobody too; the account's own devices are always told.
    recipients.extend(me.lid.or(me.phone).iter().map(library_jid));
    let options = StatusSendOptions {
        privacy: privacy.setting,
        message_id: Some(outgoing.id.clone()),
        ..StatusSendOptions::default()
    };
    let status = client.status();
    let sent = status.send_raw(message, &recipients, options).await?;
    Ok(sent.to)
}

/// The people whom the account has blocked: none of them sees its stories.
async fn blocked(client: &Client) -> Result<Vec<Jid>, SendError> {
    let blocklist = client.blocking().get_blocklist().await;
    let entries = blocklist.map_err(|error| match error {
        BlockingError::Iq(error) => SendError::Iq(error),
        other => SendError::Internal(other.into()),
    })?;
    let people = entries.iter().filter_map(|entry| model_jid(&entry.jid));
    Ok(people.collect())
}

/// Adds people's other addresses: somebody else may know them by those.
async fn exclude(client: &Client, people: &mut Vec<Jid>) {
    for index in 0..people.len() {
        if let Some(other) = other_address(client, &people[index]).await {
            people.push(other);
        }
    }
}

/// Who may see the account's stories, as it is set on the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Privacy {
    setting: StatusPrivacySetting,
    /// Those who are meant, or excluded.
    listed: Vec<Jid>,
}

impl Privacy {
    /// Those of `audience` who may see a story; the blocked are never among them.
    fn recipients(&self, audience: &[Jid], blocked: &[Jid]) -> Vec<LibraryJid> {
        let is_denied = self.setting == StatusPrivacySetting::DenyList;
        let chosen = match self.setting {
            StatusPrivacySetting::AllowList => self.listed.as_slice(),
            _ => audience,
        };
        chosen
            .iter()
            .filter(|person| !(is_denied && self.listed.contains(person)))
            .filter(|person| !blocked.contains(person))
            .map(library_jid)
            .collect()
    }
}

/// Asks for the lists of who may see stories; one of them is in use (`default`).
///
/// Lists and their names are as whatsmeow's `GetStatusPrivacy` has them.
struct StatusPrivacy;

impl IqSpec for StatusPrivacy {
    type Response = Privacy;

    fn build_iq(&self) -> InfoQuery<'static> {
        let privacy = NodeBuilder::new("privacy").build();
        InfoQuery::get(
            "status",
            LibraryJid::new("", Server::Pn),
            Some(NodeContent::Nodes(vec![privacy])),
        )
    }

    fn parse_response(&self, response: &NodeRef<'_>) -> Result<Privacy, anyhow::Error> {
        let lists = response.get_optional_child("privacy");
        let lists = lists.and_then(|privacy| privacy.children());
        let lists = lists.unwrap_or_default();
        let text = |node: &NodeRef<'_>, key: &str| {
            let value = node.get_attr(key);
            value.map(|value| value.as_str().into_owned())
        };
        let is_used = |list: &&NodeRef<'_>| text(list, "default").as_deref() == Some("true");
        let used = lists.iter().find(is_used).or_else(|| lists.first());
        let kind = used.and_then(|list| text(list, "type"));
        let setting = match kind.as_deref() {
            Some("whitelist") => StatusPrivacySetting::AllowList,
            Some("blacklist") => StatusPrivacySetting::DenyList,
            // An account that has never changed it.
            Some("contacts") | None => StatusPrivacySetting::Contacts,
            // Nobody is shown a story by mistake.
            Some(_) => anyhow::bail!("who may see stories is not understood"),
        };
        let users = used.and_then(|list| list.children()).unwrap_or_default();
        let listed = users
            .iter()
            .filter_map(|user| user.attrs().optional_jid("jid"))
            .filter_map(|jid| model_jid(&jid))
            .filter(|jid| jid.kind().is_person())
            .collect();
        Ok(Privacy { setting, listed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lists: &[(&str, bool, &[&str])]) -> Privacy {
        parse(lists).unwrap()
    }

    fn parse(lists: &[(&str, bool, &[&str])]) -> Result<Privacy, anyhow::Error> {
        let lists = lists.iter().map(|(kind, is_used, users)| {
            let users = users.iter().map(|jid| {
                NodeBuilder::new("user")
                    .attr("jid", jid.parse::<LibraryJid>().unwrap())
                    .build()
            });
            let list = NodeBuilder::new("list").attr("type", *kind);
            let list = if *is_used {
                list.attr("default", "true")
            } else {
                list
            };
            list.children(users).build()
        });
        let privacy = NodeBuilder::new("privacy").children(lists).build();
        let answer = NodeBuilder::new("iq").children([privacy]).build();
        StatusPrivacy.parse_response(&answer.as_node_ref())
    }

    #[test]
    fn the_list_in_use_decides_who_sees_a_story() {
        let audience: Vec<Jid> = ["1@lid", "2@lid", "4@lid"]
            .map(|jid| jid.parse().unwrap())
            .into();
        let users = |privacy: Privacy| {
            let blocked: Vec<Jid> = vec!["4@lid".parse().unwrap()];
            let recipients = privacy.recipients(&audience, &blocked).into_iter();
            recipients
                .map(|jid| jid.user.to_string())
                .collect::<Vec<_>>()
        };
        let all = read(&[("contacts", true, &[]), ("blacklist", false, &["1@lid"])]);
        assert_eq!(users(all), ["1", "2"]);
        let without = read(&[("contacts", false, &[]), ("blacklist", true, &["1@lid"])]);
        assert_eq!(users(without), ["2"]);
        let only = read(&[
            ("whitelist", true, &["3@lid", "4@lid"]),
            ("contacts", false, &[]),
        ]);
        assert_eq!(users(only), ["3"]);
        assert_eq!(read(&[]).setting, StatusPrivacySetting::Contacts);
        assert!(parse(&[("close_friends", true, &["1@lid"])]).is_err());
    }

    #[test]
    fn a_reaction_that_is_taken_back_has_no_code() {
        let channel: LibraryJid = "120363@newsletter".parse().unwrap();
        let node = |emoji| channel_reaction("ID", &channel, 100, emoji);
        let code = |node: &Node| {
            let reaction = node.get_optional_child("reaction").unwrap();
            reaction.attrs.get("code").map(ToString::to_string)
        };
        let given = node("\u{1f44d}");
        assert_eq!(code(&given).as_deref(), Some("\u{1f44d}"));
        assert!(!given.attrs.contains_key("edit"));
        let taken_back = node("");
        assert_eq!(code(&taken_back), None);
        assert!(taken_back.attrs.contains_key("edit"));
    }
}
