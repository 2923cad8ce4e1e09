//! The account itself: what it shows, to whom, and calls to it.

use std::pin::Pin;

use wagate_model::{Audience, Jid, PrivacySettings};
use whatsapp_rust::Client;
use whatsapp_rust::error::ErrorChainExt;
use whatsapp_rust::features::ProfileError;
use whatsapp_rust::wacore::iq::privacy::{PrivacyCategory, PrivacyValue};

use super::Connection;
use super::actions::request_error;
use super::default_timer;
use crate::RequestError;
use crate::convert::library_jid;

impl Connection {
    /// Shows another name to others.
    pub async fn set_push_name(&self, name: &str) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let telling = tell_name(client, name);
        telling.await.map_err(|error| failure(&error))
    }

    /// Shows another text below the name.
    pub async fn set_about(&self, about: &str) -> Result<(), RequestError> {
        let profile = self.logged_in()?.profile();
        let told = profile.set_status_text(about).await;
        told.map_err(|error| failure(&error))
    }

    /// Shows a JPEG as the account's picture, or none.
    pub async fn set_own_picture(&self, jpeg: Option<Vec<u8>>) -> Result<(), RequestError> {
        let profile = self.logged_in()?.profile();
        let told = match jpeg {
            Some(jpeg) => profile.set_profile_picture(jpeg).await,
            None => profile.remove_profile_picture().await,
        };
        told.map(drop).map_err(|error| failure(&error))
    }

    /// Who may see what of the account; what is not known here is left out.
    pub async fn privacy(&self) -> Result<PrivacySettings, RequestError> {
        let client = self.logged_in()?;
        let found = client.fetch_privacy_settings().await;
        let found = found.map_err(|error| request_error(&error))?;
        let mut settings = PrivacySettings::default();
        for setting in &found.settings {
            if let Some(audience) = Audience::parse(setting.value.as_str()) {
                settings.set(setting.category.as_str(), audience);
            }
        }
        let timer = default_timer::read(client).await;
        let timer = timer.map_err(|error| request_error(&error))?;
        settings.default_disappearing_seconds = timer.map(i64::from);
        Ok(settings)
    }

    /// Lets others see more or less; one setting after the other.
    pub async fn set_privacy(&self, settings: &PrivacySettings) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        for (category, audience) in settings.settings() {
            let category = PrivacyCategory::from(category);
            let value = PrivacyValue::from(audience.as_str());
            let set = client.set_privacy_setting(category, value).await;
            set.map_err(|error| request_error(&error))?;
        }
        let timer = settings.default_disappearing_seconds;
        if let Some(seconds) = timer.and_then(|seconds| u32::try_from(seconds).ok()) {
            let set = client.set_default_disappearing_mode(seconds).await;
            set.map_err(|error| request_error(&error))?;
        }
        Ok(())
    }

    /// Rejects a call; whether it still rings is not known.
    pub async fn reject_call(&self, call: &str, from: &Jid) -> Result<(), RequestError> {
        let client = self.logged_in()?;
        let from = library_jid(from);
        let rejected = client.voip().reject_call(call, &from, &from).await;
        rejected.map_err(|_| RequestError::Failed)
    }
}

/// Behind a pointer, as in [`super::chats`]: the library's future is nested too deeply.
#[inline(never)]
fn tell_name<'t>(
    client: &'t Client,
    name: &'t str,
) -> Pin<Box<dyn Future<Output = Result<(), ProfileError>> + Send + 't>> {
    Box::pin(async move { client.profile().set_push_name(name).await })
}

fn failure(error: &ProfileError) -> RequestError {
    match error {
        ProfileError::Iq(error) => request_error(error),
        error => match error.server_rejection() {
            Some(refused) => RequestError::Refused { code: refused.code },
            None => RequestError::Failed,
        },
    }
}
