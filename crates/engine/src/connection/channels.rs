//! Channels: making, following and muting them.

use serde_json::json;
use wagate_model::{Channel, Jid};

use super::Connection;
use super::graph::{ask, operation};
use crate::convert;
use crate::{ChannelNews, RequestError};

/// So many followed channels are given at most; the rest of WhatsApp's answer is left out.
const MAX_CHANNELS: usize = 1_000;

impl Connection {
    /// Makes a channel that the account owns.
    pub async fn create_channel(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<Channel, RequestError> {
        let variables = json!({ "input": { "name": name, "description": description } });
        let field = "xwa2_newsletter_create";
        let operation = operation!(create_newsletter);
        let made = ask(self.logged_in()?, operation, &variables, field).await?;
        convert::channel(&made).ok_or(RequestError::Failed)
    }

    /// Changes a channel that the account owns or administers; what is absent stays, and what is
    /// empty goes. The picture is a JPEG in base64.
    pub async fn update_channel(
        &self,
        channel: &Jid,
        name: Option<&str>,
        description: Option<&str>,
        picture: Option<&str>,
    ) -> Result<(Channel, ChannelNews), RequestError> {
        let mut updates = serde_json::Map::new();
        for (field, value) in [
            ("name", name),
            ("description", description),
            ("picture", picture),
        ] {
            if let Some(value) = value {
                updates.insert(field.to_owned(), value.into());
            }
        }
        let variables = json!({ "newsletter_id": channel.to_string(), "updates": updates });
        let operation = operation!(update_newsletter);
        let field = "xwa2_newsletter_update";
        let answer = ask(self.logged_in()?, operation, &variables, field).await?;
        let news = convert::channel_updated(&answer);
        let channel = convert::channel(&answer).ok_or(RequestError::Failed)?;
        Ok((channel, news))
    }

    /// Deletes a channel that the account owns.
    pub async fn delete_channel(&self, channel: &Jid) -> Result<(), RequestError> {
        let variables = json!({ "newsletter_id": channel.to_string() });
        let operation = operation!(delete_newsletter);
        let field = "xwa2_newsletter_delete_v2";
        let deleted = ask(self.logged_in()?, operation, &variables, field).await;
        deleted.map(drop)
    }

    /// What WhatsApp shows of a channel; code 404 where there is none.
    pub async fn channel(&self, channel: &Jid) -> Result<Channel, RequestError> {
        let variables = json!({
            "input": { "key": channel.to_string(), "type": "JID", "view_role": "GUEST" },
            "fetch_viewer_metadata": true,
            "fetch_full_image": false,
            "fetch_creation_time": true,
        });
        let operation = operation!(fetch_newsletter);
        let found = ask(self.logged_in()?, operation, &variables, "xwa2_newsletter").await?;
        convert::channel(&found).ok_or(RequestError::Failed)
    }

    /// The channels that the account follows.
    pub async fn channels(&self) -> Result<Vec<Channel>, RequestError> {
        let operation = operation!(fetch_all_newsletters_metadata);
        let field = "xwa2_newsletter_subscribed";
        let found = ask(self.logged_in()?, operation, &json!({}), field).await?;
        let found = found.as_array().ok_or(RequestError::Failed)?;
        Ok(found
            .iter()
            .filter_map(convert::channel)
            .take(MAX_CHANNELS)
            .collect())
    }

    /// Follows a channel; code 404 where there is none.
    pub async fn follow_channel(&self, channel: &Jid) -> Result<(), RequestError> {
        let variables = json!({ "newsletter_id": channel.to_string() });
        let operation = operation!(join_newsletter);
        let field = "xwa2_newsletter_join_v2";
        let followed = ask(self.logged_in()?, operation, &variables, field).await;
        followed.map(drop)
    }

    /// No longer follows a channel; code 404 where there is none.
    pub async fn unfollow_channel(&self, channel: &Jid) -> Result<(), RequestError> {
        let variables = json!({ "newsletter_id": channel.to_string() });
        let operation = operation!(leave_newsletter);
        let field = "xwa2_newsletter_leave_v2";
        let left = ask(self.logged_in()?, operation, &variables, field).await;
        left.map(drop)
    }

    /// Mutes or unmutes the posts of a channel that the account follows.
    pub async fn mute_channel(&self, channel: &Jid, is_muted: bool) -> Result<(), RequestError> {
        // The library's type of these variables is too narrow (whatsapp-rust `features::newsletter`).
        let variables = json!({
            "input": {
                "newsletter_id": channel.to_string(),
                "type": "MUTE_FOLLOWER_ACTIVITY",
                "value": if is_muted { "ON" } else { "OFF" },
            },
        });
        let operation = operation!(update_newsletter_user_setting);
        let field = "xwa2_newsletter_update_user_setting";
        let muted = ask(self.logged_in()?, operation, &variables, field).await;
        muted.map(drop)
    }
}
