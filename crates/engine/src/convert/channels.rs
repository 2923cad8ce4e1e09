//! Channels: what GraphQL answers and notifications say of them, and changes of posts.

use serde_json::Value;
use wagate_model::{Channel, ChannelRole, Jid, JidKind};
use whatsapp_rust::types::events::MexNotification;
use whatsapp_rust::types::message::{EditAttribute, MessageInfo};
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::whatsapp as wa;

use super::messages::Converted;
use super::text::{clean, present};
use crate::{ChannelChange, ChannelNews, Content, EngineEvent, MessageRef};

/// A channel in an answer.
pub(crate) fn channel(value: &Value) -> Option<Channel> {
    let jid = channel_jid(&value["id"])?;
    let thread = &value["thread_metadata"];
    let viewer = &value["viewer_metadata"];
    Some(Channel {
        created_at: number(&thread["creation_time"]).map(|seconds| seconds.saturating_mul(1_000)),
        description: present(thread["description"]["text"].as_str()),
        invite_code: present(thread["invite"].as_str()),
        jid: jid.to_string(),
        muted: muted(viewer),
        name: clean(thread["name"]["text"].as_str().unwrap_or_default()),
        role: viewer["role"].as_str().and_then(role),
        subscribers: number(&thread["subscribers_count"]),
        verified: thread["verification"].as_str() == Some("VERIFIED"),
    })
}

/// What a channel is like now, as whoever changed it is told and those who follow it.
pub(crate) fn channel_updated(value: &Value) -> ChannelNews {
    let thread = &value["thread_metadata"];
    ChannelNews::Updated {
        name: present(thread["name"]["text"].as_str()),
        description: present(thread["description"]["text"].as_str()),
        picture: present(thread["picture"]["id"].as_str()),
    }
}

/// What a GraphQL notification says, where it is about channels.
///
/// Its field tells what it is about; the operation's name is not needed.
pub(crate) fn channel_news(notification: &MexNotification) -> Option<EngineEvent> {
    let data = &notification.payload["data"];
    let told = |field: &str| Some(&data[field]).filter(|value| value.is_object());
    let (value, news) = if let Some(joined) = told("xwa2_notify_newsletter_on_join") {
        let name = present(joined["thread_metadata"]["name"]["text"].as_str());
        (joined, ChannelNews::Joined { name })
    } else if let Some(left) = told("xwa2_notify_newsletter_on_leave") {
        (left, ChannelNews::Left)
    } else if let Some(updated) = told("xwa2_notify_newsletter_on_metadata_update") {
        (updated, channel_updated(updated))
    } else if let Some(changed) = told("xwa2_notify_newsletter_on_state_change") {
        let state = changed["state"]["type"].as_str()?;
        if !state.eq_ignore_ascii_case("deleted") {
            return None;
        }
        (changed, ChannelNews::Deleted)
    } else {
        let changed = told("xwa2_notify_newsletter_on_mute_change")?;
        let is_muted = is_on(&changed["mute"])?;
        (changed, ChannelNews::Muted(is_muted))
    };
    Some(EngineEvent::Channel(ChannelChange {
        channel: channel_jid(&value["id"])?,
        news,
    }))
}

/// Turns a message that an admin has changed into one about the change.
///
/// Such a message comes under the id of the post that it changes, and says so in the stanza
/// only; none where the message is a post of its own.
pub(super) fn post_change(info: &MessageInfo, message: &wa::Message) -> Option<PostChange> {
    match info.edit {
        EditAttribute::AdminEdit => {
            // The row needs an id of its own, the same whenever the change comes again.
            let bytes = waproto::codec::message_to_vec(message);
            let id = format!("{}-{:016x}", info.id, fnv1a(&bytes));
            Some(PostChange { id, is_edit: true })
        }
        EditAttribute::AdminRevoke => Some(PostChange {
            id: format!("{}-revoked", info.id),
            is_edit: false,
        }),
        _ => None,
    }
}

/// Stands for what an edit cannot make of a post.
const NOT_A_POST: Content = Content::System { kind: "post" };

/// A change of a post.
pub(super) struct PostChange {
    id: String,
    is_edit: bool,
}

impl PostChange {
    /// Makes a converted post into its change.
    pub(super) fn apply(self, mut converted: Converted) -> Converted {
        let message = &mut converted.message;
        let target = MessageRef {
            id: std::mem::replace(&mut message.id, self.id),
            sender: None,
            from_me: None,
        };
        let content = std::mem::replace(&mut message.content, NOT_A_POST);
        message.content = if self.is_edit {
            let is_plain = !matches!(
                content,
                Content::Edit { .. }
                    | Content::Revoke { .. }
                    | Content::Reaction { .. }
                    | Content::PollVote { .. }
                    | Content::EventResponse { .. }
                    | Content::Pin { .. }
                    | Content::Keep { .. }
                    | Content::Timer { .. }
            );
            let content = if is_plain { content } else { NOT_A_POST };
            Content::Edit {
                target,
                content: Box::new(content),
            }
        } else {
            Content::Revoke { target }
        };
        converted
    }

    pub(super) const fn is_revocation(&self) -> bool {
        !self.is_edit
    }
}

/// A short fingerprint that stays the same between versions.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn channel_jid(value: &Value) -> Option<Jid> {
    let jid: Jid = value.as_str()?.parse().ok()?;
    (jid.kind() == JidKind::Newsletter).then_some(jid)
}

/// A number, which GraphQL answers write as a text.
fn number(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_str()?.parse().ok())
        .filter(|number| *number >= 0)
}

/// The names are written in capitals, in small letters too.
fn role(name: &str) -> Option<ChannelRole> {
    [
        ("owner", ChannelRole::Owner),
        ("admin", ChannelRole::Admin),
        ("subscriber", ChannelRole::Subscriber),
        ("guest", ChannelRole::Guest),
    ]
    .into_iter()
    .find_map(|(known, role)| known.eq_ignore_ascii_case(name).then_some(role))
}

fn muted(viewer: &Value) -> Option<bool> {
    let settings = viewer["settings"].as_array();
    let setting = settings.and_then(|settings| {
        let mut settings = settings.iter();
        settings.find(|setting| setting["type"].as_str() == Some("MUTE_FOLLOWER_ACTIVITY"))
    });
    match setting {
        Some(setting) => is_on(&setting["value"]),
        None => is_on(&viewer["mute"]),
    }
}

fn is_on(value: &Value) -> Option<bool> {
    let text = value.as_str()?;
    if text.eq_ignore_ascii_case("on") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case("off").then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn notification(payload: Value) -> MexNotification {
        MexNotification::builder()
            .op_name("NotificationNewsletterJoin".to_owned())
            .payload(payload)
            .build()
    }

    fn told(field: &str, value: &Value) -> Option<ChannelNews> {
        let event = channel_news(&notification(json!({ "data": { field: value } })))?;
        match event {
            EngineEvent::Channel(change) => Some(change.news),
            _ => None,
        }
    }

    #[test]
    fn an_answer_is_read_with_numbers_as_texts_and_roles_in_capitals() {
        let shown = channel(&json!({
            "id": "120363000000000001@newsletter",
            "thread_metadata": {
                "name": { "text": "News" }, "description": { "text": "" },
                "subscribers_count": "12", "creation_time": "1700000000",
                "verification": "VERIFIED", "invite": "0029Va",
            },
            "viewer_metadata": {
                "role": "OWNER", "mute": "OFF",
                "settings": [{ "type": "MUTE_FOLLOWER_ACTIVITY", "value": "ON" }],
            },
        }))
        .unwrap();
        assert_eq!(shown.role, Some(ChannelRole::Owner));
        assert_eq!((shown.subscribers, shown.muted), (Some(12), Some(true)));
        assert_eq!(shown.created_at, Some(1_700_000_000_000));
        assert!(shown.verified && shown.description.is_none());
        assert!(channel(&json!({ "id": "1@g.us" })).is_none());
    }

    #[test]
    fn notifications_are_told_apart_by_their_field() {
        let id = "120363000000000001@newsletter";
        let joined = json!({ "id": id, "thread_metadata": { "name": { "text": "News" } } });
        let name = Some("News".to_owned());
        assert_eq!(
            told("xwa2_notify_newsletter_on_join", &joined),
            Some(ChannelNews::Joined { name })
        );
        assert_eq!(
            told("xwa2_notify_newsletter_on_leave", &json!({ "id": id })),
            Some(ChannelNews::Left)
        );
        assert_eq!(
            told(
                "xwa2_notify_newsletter_on_mute_change",
                &json!({ "id": id, "mute": "ON" })
            ),
            Some(ChannelNews::Muted(true))
        );
        let updated = json!({ "id": id, "thread_metadata": {
            "name": { "text": "New" }, "description": { "text": "" }, "picture": { "id": "7" },
        } });
        assert_eq!(
            told("xwa2_notify_newsletter_on_metadata_update", &updated),
            Some(ChannelNews::Updated {
                name: Some("New".to_owned()),
                description: None,
                picture: Some("7".to_owned()),
            })
        );
        for (state, expected) in [("DELETED", Some(ChannelNews::Deleted)), ("SUSPENDED", None)] {
            let changed = json!({ "id": id, "state": { "type": state } });
            let news = told("xwa2_notify_newsletter_on_state_change", &changed);
            assert_eq!(news, expected);
        }
        assert_eq!(told("xwa2_notify_lid_change", &json!({ "id": id })), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_a_channel_or_none(
            id in "\\PC{0,20}|[0-9]{1,20}@newsletter",
            count in "\\PC{0,8}|-?[0-9]{1,30}",
        ) {
            let value = json!({
                "id": id, "thread_metadata": { "creation_time": count, "subscribers_count": count },
            });
            if let Some(channel) = channel(&value) {
                prop_assert!(channel.jid.ends_with("@newsletter"));
                prop_assert!(channel.created_at.is_none_or(|at| at >= 0));
            }
        }
    }
}
