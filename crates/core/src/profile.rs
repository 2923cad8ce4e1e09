//! Use cases of the account itself: what it shows, to whom, and calls to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wagate_cluster::{LiveReply, LiveRequest, ProfileReply, ProfileRequest};
use wagate_model::{
    Draft, Jid, MediaKind, MediaPayload, PrivacySettings, Profile, ProfilePictureInput,
    RejectCallInput, UpdateProfile, limits,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::intake::Incoming;
use crate::live::unexpected_live;
use crate::service::Core;

impl Core {
    /// What the account shows of itself.
    pub async fn get_profile(&self, access: &SessionAccess) -> Result<Profile> {
        let request = LiveRequest::Profile(ProfileRequest::Get);
        match self.ask_live(access, request, What::Account).await? {
            LiveReply::Profile(ProfileReply::Profile(profile)) => Ok(profile),
            other => Err(unexpected_live(&other)),
        }
    }

    /// Shows another name or text.
    pub async fn update_profile(
        &self,
        access: &SessionAccess,
        request: Draft<UpdateProfile>,
    ) -> Result<()> {
        let (request, ()) = request.checked(UpdateProfile::check)?;
        if request == UpdateProfile::default() {
            return Ok(());
        }
        let request = LiveRequest::Profile(ProfileRequest::Update(request));
        self.do_live(access, request, What::Account).await
    }

    /// Shows a picture.
    pub async fn set_profile_picture(
        &self,
        access: &SessionAccess,
        request: Draft<ProfilePictureInput>,
    ) -> Result<()> {
        let (request, mut faults) = request.open()?;
        let data = faults.required("data", request.data);
        faults.into_result()?;
        let payload = MediaPayload {
            data,
            ..MediaPayload::default()
        };
        let file = Incoming::new(String::new(), MediaKind::Image, payload);
        let jpeg = self
            .intake
            .square_picture(access.organization_id(), file)
            .await?;
        let jpeg = STANDARD.encode(jpeg);
        let request = LiveRequest::Profile(ProfileRequest::SetPicture { jpeg });
        self.do_live(access, request, What::Account).await
    }

    /// Shows no picture.
    pub async fn remove_profile_picture(&self, access: &SessionAccess) -> Result<()> {
        let request = LiveRequest::Profile(ProfileRequest::RemovePicture);
        self.do_live(access, request, What::Account).await
    }

    /// Who may see what of the account.
    pub async fn get_privacy(&self, access: &SessionAccess) -> Result<PrivacySettings> {
        self.ask_privacy(access, ProfileRequest::Privacy).await
    }

    /// Lets others see more or less; gives all settings.
    pub async fn update_privacy(
        &self,
        access: &SessionAccess,
        request: Draft<PrivacySettings>,
    ) -> Result<PrivacySettings> {
        let (request, ()) = request.checked(PrivacySettings::check)?;
        self.ask_privacy(access, ProfileRequest::SetPrivacy(request))
            .await
    }

    async fn ask_privacy(
        &self,
        access: &SessionAccess,
        request: ProfileRequest,
    ) -> Result<PrivacySettings> {
        let request = LiveRequest::Profile(request);
        match self.ask_live(access, request, What::Account).await? {
            LiveReply::Profile(ProfileReply::Privacy(settings)) => Ok(settings),
            other => Err(unexpected_live(&other)),
        }
    }

    /// Rejects a call that rings.
    pub async fn reject_call(
        &self,
        access: &SessionAccess,
        call: &str,
        request: Draft<RejectCallInput>,
    ) -> Result<()> {
        let is_id = !call.is_empty()
            && call.len() <= limits::MESSAGE_ID_CHARS
            && call.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_id {
            return Err(Error::NotFound(What::Call));
        }
        let (request, mut faults) = request.open()?;
        let from = faults.required("from", request.from);
        let from = from.and_then(|from| match Jid::parse_lenient(&from) {
            Ok(jid) if jid.kind().is_person() => Some(jid),
            Ok(_) => {
                faults.add("from", "must be a person");
                None
            }
            Err(error) => {
                faults.add("from", error.to_string());
                None
            }
        });
        faults.into_result()?;
        let Some(from) = from else {
            return Err(Error::NotFound(What::Call));
        };
        let call = call.to_owned();
        let request = LiveRequest::Profile(ProfileRequest::RejectCall { call, from });
        self.do_live(access, request, What::Call).await
    }
}
