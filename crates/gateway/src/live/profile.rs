//! The account itself: what it shows, to whom, and calls to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wagate_cluster::{LiveReply, ProfileReply, ProfileRequest, Refusal};
use wagate_model::Profile;
use wagate_store::StoreError;

use super::chats::store_refusal;
use super::{Live, LiveResult};

impl Live<'_> {
    pub(super) async fn profile(&self, request: ProfileRequest) -> LiveResult {
        let connection = &self.connection;
        match request {
            ProfileRequest::Get => self.show_profile().await,
            ProfileRequest::Update(update) => {
                if let Some(name) = &update.name {
                    self.done(connection.set_push_name(name).await)?;
                }
                if let Some(about) = &update.about {
                    self.done(connection.set_about(about).await)?;
                }
                Ok(LiveReply::Done)
            }
            ProfileRequest::SetPicture { jpeg } => {
                let jpeg = STANDARD.decode(jpeg).map_err(|_| Refusal::Internal)?;
                self.done(connection.set_own_picture(Some(jpeg)).await)
            }
            ProfileRequest::RemovePicture => self.done(connection.set_own_picture(None).await),
            ProfileRequest::Privacy => self.show_privacy().await,
            ProfileRequest::SetPrivacy(settings) => {
                self.done(connection.set_privacy(&settings).await)?;
                self.show_privacy().await
            }
            ProfileRequest::RejectCall { call, from } => {
                self.done(connection.reject_call(&call, &from).await)
            }
        }
    }

    async fn show_profile(&self) -> LiveResult {
        let connection = &self.connection;
        let account = connection.account().ok_or(Refusal::Unavailable)?;
        let about = connection.about_of(&account.jid).await;
        let picture = connection.picture_of(&account.jid).await;
        let profile = Profile {
            about: about.map_err(|error| self.refusal(&error))?,
            jid: account.jid.to_string(),
            lid: account.lid.map(|lid| lid.to_string()),
            name: account.push_name,
            picture: picture.map_err(|error| self.refusal(&error))?,
        };
        Ok(LiveReply::Profile(ProfileReply::Profile(profile)))
    }

    async fn show_privacy(&self) -> LiveResult {
        let settings = self.connection.privacy().await;
        let settings = settings.map_err(|error| self.refusal(&error))?;
        self.note_default_timer(settings.default_disappearing_seconds)
            .await?;
        Ok(LiveReply::Profile(ProfileReply::Privacy(settings)))
    }

    /// Stores the timer of chats that are begun from now on.
    async fn note_default_timer(&self, seconds: Option<i64>) -> Result<(), Refusal> {
        let Some(seconds) = seconds.and_then(|seconds| u32::try_from(seconds).ok()) else {
            return Ok(());
        };
        let now_ms = self.cx.now_ms();
        self.session
            .commit::<_, StoreError, _>(&self.cx.store, move |owned| {
                Box::pin(async move { owned.set_default_timer(seconds, now_ms).await })
            })
            .await
            .map_err(|error| store_refusal(&error))
    }
}
