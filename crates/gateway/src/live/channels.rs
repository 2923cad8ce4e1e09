//! Channels: making, following and muting them.
//!
//! WhatsApp tells the account's devices of what it took, this one as well; whoever comes first
//! here, the answer or that news, makes the event.

use std::sync::Arc;

use wagate_cluster::{ChannelReply, ChannelRequest, LiveReply, Refusal};
use wagate_engine::{ChannelChange, ChannelNews, EngineEvent};
use wagate_model::{Channel, ChannelRole, Jid};

use super::chats::store_refusal;
use super::{Live, LiveResult};
use crate::inbound::commit_news;

impl Live<'_> {
    pub(super) async fn channels(&self, request: ChannelRequest) -> LiveResult {
        match request {
            ChannelRequest::Create { name, description } => {
                self.create_channel(&name, description.as_deref()).await
            }
            ChannelRequest::Update {
                channel,
                name,
                description,
                picture,
            } => {
                let told = self.connection.update_channel(
                    &channel,
                    name.as_deref(),
                    description.as_deref(),
                    picture.as_deref(),
                );
                let (updated, news) = told.await.map_err(|error| self.refusal(&error))?;
                self.tell_channel(channel, news).await?;
                let updated = ChannelReply::Channel(Box::new(updated));
                Ok(LiveReply::Channels(updated))
            }
            ChannelRequest::Delete { channel } => {
                self.done(self.connection.delete_channel(&channel).await)?;
                self.tell_channel(channel, ChannelNews::Deleted).await
            }
            ChannelRequest::List => {
                let channels = self.connection.channels().await;
                let channels = channels.map_err(|error| self.refusal(&error))?;
                Ok(LiveReply::Channels(ChannelReply::Channels(channels)))
            }
            ChannelRequest::Get { channel } => {
                let found = Box::new(self.channel(&channel).await?);
                Ok(LiveReply::Channels(ChannelReply::Channel(found)))
            }
            ChannelRequest::Follow { channel } => self.follow_channel(channel).await,
            ChannelRequest::Unfollow { channel } => self.unfollow_channel(channel).await,
            ChannelRequest::Mute { channel, is_muted } => {
                self.mute_channel(channel, is_muted).await
            }
        }
    }

    async fn create_channel(&self, name: &str, description: Option<&str>) -> LiveResult {
        let made = self.connection.create_channel(name, description).await;
        let made = made.map_err(|error| self.refusal(&error))?;
        let jid = made.jid.parse().map_err(|_| Refusal::Internal)?;
        let name = Some(made.name.clone()).filter(|name| !name.is_empty());
        // The channel is there, whatever becomes of its event here: WhatsApp tells of it too.
        if let Err(refusal) = self.tell_channel(jid, ChannelNews::Joined { name }).await {
            tracing::warn!(session.id = %self.session.id(), error = %refusal, "a new channel was not noted yet");
        }
        Ok(LiveReply::Channels(ChannelReply::Channel(Box::new(made))))
    }

    async fn follow_channel(&self, channel: Jid) -> LiveResult {
        let shown = self.channel(&channel).await?;
        if is_followed(&shown) == Some(true) {
            return Ok(LiveReply::Done);
        }
        self.done(self.connection.follow_channel(&channel).await)?;
        let name = Some(shown.name).filter(|name| !name.is_empty());
        self.tell_channel(channel, ChannelNews::Joined { name })
            .await
    }

    async fn unfollow_channel(&self, channel: Jid) -> LiveResult {
        let shown = self.channel(&channel).await?;
        if is_followed(&shown) == Some(false) {
            return Ok(LiveReply::Done);
        }
        self.done(self.connection.unfollow_channel(&channel).await)?;
        self.tell_channel(channel, ChannelNews::Left).await
    }

    async fn mute_channel(&self, channel: Jid, is_muted: bool) -> LiveResult {
        let shown = self.channel(&channel).await?;
        if is_followed(&shown) == Some(true) && shown.muted == Some(is_muted) {
            return Ok(LiveReply::Done);
        }
        self.done(self.connection.mute_channel(&channel, is_muted).await)?;
        self.tell_channel(channel, ChannelNews::Muted(is_muted))
            .await
    }

    async fn channel(&self, channel: &Jid) -> Result<Channel, Refusal> {
        let shown = self.connection.channel(channel).await;
        shown.map_err(|error| self.refusal(&error))
    }

    /// Stores and tells what WhatsApp has taken, unless its own news of it came first.
    async fn tell_channel(&self, channel: Jid, news: ChannelNews) -> LiveResult {
        let change = ChannelChange { channel, news };
        let events = Arc::new(vec![EngineEvent::Channel(change)]);
        commit_news(self.cx, self.session, events)
            .await
            .map_err(|error| store_refusal(&error))?;
        Ok(LiveReply::Done)
    }
}

/// Whether the account follows a channel, where WhatsApp tells its role.
fn is_followed(channel: &Channel) -> Option<bool> {
    channel.role.map(|role| role != ChannelRole::Guest)
}
