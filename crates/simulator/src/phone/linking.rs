//! Linking companions to a phone, and unlinking them.

use std::time::Duration;

use tokio::sync::oneshot;
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use crate::phone::actor::Command;
use crate::phone::error::PhoneError;
use crate::phone::handle::Phone;
use crate::phone::link::{
    CompanionIdentity, PendingCode, QrCode, key_index_list, normalize, sign_companion,
};
use crate::phone::shared::gone;
use crate::server::{Device, LinkContext, LinkError, SignedLink};

/// How long a companion may take to answer a typed code (wacore `pair_code`: one minute).
const FINISH_TIMEOUT: Duration = Duration::from_mins(1);

impl Phone {
    /// Scans a pairing QR code; resolves when the companion has logged in.
    pub async fn scan(&self, qr: &str) -> Result<Device, PhoneError> {
        let qr = QrCode::parse(qr)?;
        self.require_online()?;
        self.link(&qr.pairing_ref, qr.adv_secret, qr.identity).await
    }

    /// Types the code that a companion shows; resolves when the companion has logged in.
    pub async fn enter_code(&self, code: &str) -> Result<Device, PhoneError> {
        let code = normalize(code)?;
        self.require_online()?;
        let server = self.shared.server()?;
        let hello = server
            .pending_link_code(self.number())
            .ok_or_else(|| PhoneError::Conflict("no companion is waiting for a code".to_owned()))?;
        let wrapped = hello.wrapped_companion_ephemeral.clone();
        let pending = tokio::task::spawn_blocking(move || PendingCode::enter(&wrapped, &code))
            .await
            .map_err(|_| PhoneError::internal("the code could not be derived"))??;
        let (finish, finished) = oneshot::channel();
        let pairing_ref = hello.pairing_ref.clone().into_bytes();
        self.ask(|reply| Command::AwaitFinish {
            pairing_ref,
            finish,
            reply,
        })
        .await??;
        let account = &self.shared.keys.identity;
        server
            .send_primary_hello(
                self.number(),
                &hello.pairing_ref,
                pending.wrapped_ephemeral.to_vec(),
                account.public_key().public_key_bytes().to_vec(),
            )
            .map_err(link_error)?;
        let finish = tokio::time::timeout(FINISH_TIMEOUT, finished)
            .await
            .map_err(|_| PhoneError::Conflict("the companion did not answer".to_owned()))?
            .map_err(|_| PhoneError::Conflict("another code was typed".to_owned()))?;
        let adv_secret = pending.finish(&finish, account)?;
        self.link(&hello.pairing_ref, adv_secret, finish.identity)
            .await
    }

    /// Removes a companion from the account; it is logged out.
    pub fn unlink(&self, device_id: u16) -> Result<(), PhoneError> {
        let server = self.shared.server()?;
        let account = server.account(self.number()).ok_or_else(gone)?;
        let remaining = account
            .devices
            .iter()
            .filter(|device| device.id != device_id)
            .map(|device| device.key_index);
        let list = key_index_list(
            &self.shared.keys.identity,
            self.shared.raw_id,
            u64::try_from(server.clock().now_s()).unwrap_or_default(),
            std::iter::once(0).chain(remaining).collect(),
        )?;
        server.unlink(self.number(), device_id, Some(list))?;
        Ok(())
    }

    async fn link(
        &self,
        pairing_ref: &str,
        adv_secret: [u8; 32],
        identity: [u8; 32],
    ) -> Result<Device, PhoneError> {
        self.ask(|reply| Command::BeginAppState { reply }).await??;
        let shared = self.shared.clone();
        let sign = move |context: LinkContext| {
            if context.registration.identity != identity {
                return Err(LinkError::Sign(
                    "the companion registered with another identity".to_owned(),
                ));
            }
            let timestamp_s = u64::try_from(context.timestamp_s).unwrap_or_default();
            let account = &shared.keys.identity;
            let companion = CompanionIdentity {
                identity: &identity,
                adv_secret: &adv_secret,
                key_index: context.key_index,
                raw_id: shared.raw_id,
                timestamp_s,
            };
            let failed = |error: PhoneError| LinkError::Sign(error.to_string());
            Ok(SignedLink {
                device_identity: sign_companion(account, &companion).map_err(failed)?,
                key_index_list: key_index_list(
                    account,
                    shared.raw_id,
                    timestamp_s,
                    context.valid_key_indexes,
                )
                .map_err(failed)?,
                client_props: Some(client_props()),
            })
        };
        let device = self
            .shared
            .server()?
            .link_by_ref(self.number(), pairing_ref, sign)
            .await
            .map_err(link_error)?;
        self.ask(|reply| Command::Serve { reply }).await??;
        Ok(device)
    }

    fn require_online(&self) -> Result<(), PhoneError> {
        match self.shared.server()?.account(self.number()) {
            Some(account) if account.is_online => Ok(()),
            Some(_) => Err(PhoneError::offline()),
            None => Err(gone()),
        }
    }
}

/// Tells the companion that the account's chats are addressed by LID.
fn client_props() -> Vec<u8> {
    wa::ClientPairingProps {
        is_chat_db_lid_migrated: Some(true),
        ..Default::default()
    }
    .encode_to_vec()
}

fn link_error(error: LinkError) -> PhoneError {
    match error {
        LinkError::UnknownAccount => PhoneError::NotFound(error.to_string()),
        LinkError::Journal(error) => PhoneError::Journal(error),
        error => PhoneError::Conflict(error.to_string()),
    }
}
