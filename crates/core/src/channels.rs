//! Use cases of channels.

use wagate_cluster::{ChannelReply, ChannelRequest, LiveReply, LiveRequest};
use wagate_model::{
    Channel, CreateChannelInput, CreatedChannel, Draft, Jid, JidKind, ListChannel, ListMessage,
    MuteChannelInput, UpdateChannelInput,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::groups::check_jpeg;
use crate::live::unexpected_live;
use crate::pages::Page;
use crate::service::Core;

const NOT_FOUND: Error = Error::NotFound(What::Channel);

impl Core {
    /// Makes a channel that the session's account owns.
    pub async fn create_channel(
        &self,
        access: &SessionAccess,
        request: Draft<CreateChannelInput>,
    ) -> Result<CreatedChannel> {
        let (request, ()) = request.checked(CreateChannelInput::check)?;
        let description = request.description.filter(|text| !text.is_empty());
        let request = ChannelRequest::Create {
            name: request.name.unwrap_or_default().trim().to_owned(),
            description,
        };
        let made = self.ask_channel(access, request).await?;
        Ok(CreatedChannel { jid: made.jid })
    }

    /// Changes a channel of the account's own.
    pub async fn update_channel(
        &self,
        access: &SessionAccess,
        channel: &str,
        request: Draft<UpdateChannelInput>,
    ) -> Result<Channel> {
        let channel = channel_of(channel)?;
        let (request, mut faults) = request.open()?;
        request.check(&mut faults);
        if let Some(picture) = request.picture.as_deref().filter(|text| !text.is_empty()) {
            check_jpeg("picture", picture, &mut faults);
        }
        faults.into_result()?;
        let request = if request.is_empty() {
            ChannelRequest::Get { channel }
        } else {
            ChannelRequest::Update {
                channel,
                name: request.name.map(|name| name.trim().to_owned()),
                description: request.description,
                picture: request.picture,
            }
        };
        self.ask_channel(access, request).await
    }

    /// Deletes a channel of the account's own.
    pub async fn delete_channel(&self, access: &SessionAccess, channel: &str) -> Result<()> {
        let channel = channel_of(channel)?;
        self.do_channel(access, ChannelRequest::Delete { channel })
            .await
    }

    /// The channels that the session's account follows.
    pub async fn list_channels(&self, access: &SessionAccess) -> Result<ListChannel> {
        let request = LiveRequest::Channels(ChannelRequest::List);
        match self.ask_live(access, request, What::Channel).await? {
            LiveReply::Channels(ChannelReply::Channels(data)) => Ok(ListChannel { data }),
            other => Err(unexpected_live(&other)),
        }
    }

    /// What WhatsApp shows of a channel.
    pub async fn get_channel(&self, access: &SessionAccess, channel: &str) -> Result<Channel> {
        let channel = channel_of(channel)?;
        self.ask_channel(access, ChannelRequest::Get { channel })
            .await
    }

    /// Follows a channel.
    pub async fn follow_channel(&self, access: &SessionAccess, channel: &str) -> Result<()> {
        let channel = channel_of(channel)?;
        self.do_channel(access, ChannelRequest::Follow { channel })
            .await
    }

    /// No longer follows a channel.
    pub async fn unfollow_channel(&self, access: &SessionAccess, channel: &str) -> Result<()> {
        let channel = channel_of(channel)?;
        self.do_channel(access, ChannelRequest::Unfollow { channel })
            .await
    }

    /// Mutes a channel, or unmutes it.
    pub async fn mute_channel(
        &self,
        access: &SessionAccess,
        channel: &str,
        request: Draft<MuteChannelInput>,
    ) -> Result<()> {
        let channel = channel_of(channel)?;
        let request = request.finish()?;
        let is_muted = request.mute.unwrap_or(true);
        self.do_channel(access, ChannelRequest::Mute { channel, is_muted })
            .await
    }

    /// The stored posts of a channel, newest first; none of one that was never seen.
    pub async fn list_channel_messages(
        &self,
        access: &SessionAccess,
        channel: &str,
        page: Draft<Page>,
    ) -> Result<ListMessage> {
        let channel = channel_of(channel)?;
        let (organization, session) = (access.organization_id(), access.id());
        let mut tx = self.store.read().await?;
        let stored = tx.chat(organization, session, channel.as_str()).await?;
        drop(tx);
        if stored.is_some() {
            return self
                .list_chat_messages(access, channel.as_str(), page)
                .await;
        }
        let (page, mut faults) = page.open()?;
        // A cursor is one of a list with something in it.
        faults.check(page.cursor.is_none(), "cursor", || {
            "is not a cursor of this list".into()
        });
        faults.into_result()?;
        Ok(ListMessage {
            data: Vec::new(),
            next_cursor: None,
        })
    }

    async fn ask_channel(
        &self,
        access: &SessionAccess,
        request: ChannelRequest,
    ) -> Result<Channel> {
        let request = LiveRequest::Channels(request);
        match self.ask_live(access, request, What::Channel).await? {
            LiveReply::Channels(ChannelReply::Channel(channel)) => Ok(*channel),
            other => Err(unexpected_live(&other)),
        }
    }

    async fn do_channel(&self, access: &SessionAccess, request: ChannelRequest) -> Result<()> {
        self.do_live(access, LiveRequest::Channels(request), What::Channel)
            .await
    }
}

/// The channel in a path; what is none is not found.
fn channel_of(text: &str) -> Result<Jid> {
    let jid = Jid::parse_lenient(text).ok();
    jid.filter(|jid| jid.kind() == JidKind::Newsletter)
        .ok_or(NOT_FOUND)
}
