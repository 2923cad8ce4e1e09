//! Making an account oneself.

use wagate_model::{Email, Faults, PlatformRole};

use super::account::NewUser;
use super::logins::Client;
use super::passwords::Password;
use crate::config::SignUp;
use crate::error::{IdentityError, Refusal};
use crate::mail::Mail;
use crate::service::Identity;

/// Somebody who wants an account.
#[derive(Debug, Clone)]
pub struct SignUpRequest {
    /// The address.
    pub email: Email,
    /// What the person is called.
    pub name: String,
    /// The password.
    pub password: Password,
}

impl SignUpRequest {
    /// What is wrong with it.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.clone().into_user().faults()
    }

    fn into_user(self) -> NewUser {
        NewUser {
            email: self.email,
            name: self.name,
            password: Some(self.password),
            platform_role: PlatformRole::User,
            // Until a link that came by mail shows it; without a mailer nobody can.
            is_email_confirmed: false,
            membership: None,
        }
    }
}

impl Identity {
    /// Makes an account where anybody may. The answer does not tell whether the address has
    /// one already: its owner is told by mail, and can sign in as before.
    pub async fn sign_up(
        &self,
        request: SignUpRequest,
        client: &Client,
    ) -> Result<(), IdentityError> {
        if self.0.config.sign_up != SignUp::Open {
            return Err(IdentityError::Refused(Refusal::SignUpClosed));
        }
        let faults = request.faults();
        faults.into_result().map_err(IdentityError::Invalid)?;
        self.charge(client.counters("mail", request.email.as_str()))
            .await?;
        let has_mailer = self.0.config.mailer.is_some();
        let new = request.into_user();
        let email = new.email.clone();
        let identity = self.clone();
        // The work of both cases is the same up to here, and the rest is not waited for.
        match self.create_user(new, None).await {
            Ok(user) if has_mailer => {
                tokio::spawn(async move {
                    if let Err(error) = identity.mail_confirmation(&user).await {
                        tracing::warn!(%error, "no link that confirms an address was made");
                    }
                });
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(IdentityError::Refused(Refusal::EmailTaken)) => {
                self.send_mail(Mail {
                    to: email,
                    subject: "You have an account already".into(),
                    text: "Somebody, most likely you, tried to make an account with this address, \
                           which has one already. Sign in with it, or ask for a new password.\n"
                        .into(),
                });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
