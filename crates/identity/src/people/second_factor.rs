//! The second factor: time-based codes (TOTP, RFC 6238), and codes for when it is lost.

use futures::FutureExt as _;
use totp_rs::{Builder, Secret, Totp};
use wagate_model::{AuditAction, Faults, User, hide_contents};
use wagate_store::{Lane, Tx, UserSecrets};

use super::logins::CurrentLogin;
use super::passwords::Password;
use crate::error::{IdentityError, Refusal};
use crate::secrets::hash_of;
use crate::service::Identity;

/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;

/// Letters and digits of recovery codes that nobody mixes up: 32 of them, 5 bits each.
const ALPHABET: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";

/// Characters of a recovery code: 60 bits, which the slowing down makes more than enough.
const RECOVERY_CODE_CHARS: usize = 12;

/// What an authenticator app needs.
pub struct TotpOffer {
    /// The secret, in base 32.
    pub secret: String,
    /// The same as `otpauth://` URL, for a QR code.
    pub url: String,
}

hide_contents!(TotpOffer);

/// The codes of a secret: six digits, SHA-1, 30 s, one step early or late, as all apps do it.
fn totp(secret: &[u8], user: &User) -> Result<Totp, IdentityError> {
    Builder::new()
        .with_secret(Secret::from(secret))
        .with_account_name(user.email.as_str())
        .with_issuer(Some("wagate"))
        .build()
        .map_err(|error| IdentityError::Internal(error.to_string()))
}

/// A recovery code as it is hashed: without what people write between its letters.
fn normalized(code: &str) -> String {
    let kept = code.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

impl Identity {
    /// The time step that a code is of, where it is right.
    fn step_of(
        &self,
        user: &User,
        secret: &[u8],
        code: &str,
    ) -> Result<Option<i64>, IdentityError> {
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        if digits.len() != 6 {
            return Ok(None);
        }
        let now_s = u64::try_from(self.now_ms() / 1_000).unwrap_or(0);
        let step = totp(secret, user)?.check(&digits, now_s);
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    /// Takes a code of the second factor, each once, or a recovery code.
    pub(crate) async fn check_second_factor(
        &self,
        user: &User,
        secrets: &UserSecrets,
        code: Option<&str>,
    ) -> Result<(), IdentityError> {
        let Some(secret) = secrets
            .totp_secret
            .as_deref()
            .filter(|_| secrets.is_totp_confirmed)
        else {
            return Ok(());
        };
        let code = code.map(str::trim).filter(|code| !code.is_empty());
        let code = code.ok_or(IdentityError::Refused(Refusal::SecondFactorRequired))?;
        let (id, step) = (user.id, self.step_of(user, secret, code)?);
        let recovery = hash_of(&normalized(code));
        let is_taken = self
            .0
            .store
            .write::<_, IdentityError, _>(Lane::SHARED, move |tx| {
                async move {
                    let mut admin = tx.admin();
                    Ok(match step {
                        Some(step) => admin.take_totp_step(id, step).await?,
                        None => admin.take_recovery_code(id, &recovery).await?,
                    })
                }
                .boxed()
            })
            .await?;
        if is_taken {
            Ok(())
        } else {
            Err(IdentityError::Refused(Refusal::WrongSecondFactor))
        }
    }

    /// Offers a second factor: it counts once a code of it was shown.
    pub async fn offer_totp(
        &self,
        login: &CurrentLogin,
        password: &Password,
    ) -> Result<TotpOffer, IdentityError> {
        self.confirm_password(&login.user, "password", password)
            .await?;
        let mut secret = [0; 20];
        self.0.randomness.fill(&mut secret);
        let totp = totp(&secret, &login.user)?;
        let url = totp.to_url();
        let offer = TotpOffer {
            secret: totp.secret().to_base32(),
            url: url.map_err(|error| IdentityError::Internal(error.to_string()))?,
        };
        let id = login.user.id;
        let is_offered = self
            .0
            .store
            .write::<_, IdentityError, _>(Lane::SHARED, move |tx| {
                async move { Ok(tx.admin().offer_totp(id, &secret).await?) }.boxed()
            })
            .await?;
        if is_offered {
            Ok(offer)
        } else {
            Err(IdentityError::Refused(Refusal::SecondFactorOn))
        }
    }

    /// Switches the offered second factor on by a code of it; gives the recovery codes, once.
    pub async fn confirm_totp(
        &self,
        login: &CurrentLogin,
        code: &str,
    ) -> Result<Vec<String>, IdentityError> {
        let user = &login.user;
        let secrets = {
            let mut tx = self.0.store.read().await?;
            let secrets = tx.admin().user_secrets(user.id).await?;
            secrets.ok_or(IdentityError::NotFound)?
        };
        if secrets.is_totp_confirmed {
            return Err(IdentityError::Refused(Refusal::SecondFactorOn));
        }
        let secret = secrets
            .totp_secret
            .ok_or(IdentityError::Refused(Refusal::SecondFactorOff))?;
        let step = self.step_of(user, &secret, code)?.ok_or_else(|| {
            IdentityError::Invalid(Faults::one(
                "code",
                "is not the code that the app shows now",
            ))
        })?;
        let codes = self.draw_recovery_codes();
        let hashes: Vec<_> = codes
            .iter()
            .map(|code| hash_of(&normalized(code)))
            .collect();
        let id = user.id;
        let action = AuditAction::UserTotpEnabled;
        self.change_user(user, &login.actor(), action, |now_ms| {
            move |tx: &mut Tx| {
                async move {
                    let mut admin = tx.admin();
                    // The other of two tabs may have been faster.
                    if !admin.confirm_totp(id, now_ms).await? {
                        return Err(IdentityError::Refused(Refusal::SecondFactorOn));
                    }
                    admin.take_totp_step(id, step).await?;
                    admin.put_recovery_codes(id, &hashes).await?;
                    Ok(true)
                }
                .boxed()
            }
        })
        .await?;
        Ok(codes)
    }

    /// Switches the second factor off.
    pub async fn disable_totp(
        &self,
        login: &CurrentLogin,
        password: &Password,
        code: &str,
    ) -> Result<(), IdentityError> {
        self.prove_both(login, password, code).await?;
        let id = login.user.id;
        let action = AuditAction::UserTotpDisabled;
        self.change_user(&login.user, &login.actor(), action, |now_ms| {
            move |tx: &mut Tx| async move { Ok(tx.admin().clear_totp(id, now_ms).await?) }.boxed()
        })
        .await
    }

    /// Switches a second factor off whose owner lost it: for the operator, who knows the person.
    pub async fn remove_totp(
        &self,
        user: &User,
        actor: &wagate_model::Actor,
    ) -> Result<(), IdentityError> {
        let id = user.id;
        let action = AuditAction::UserTotpDisabled;
        self.change_user(user, actor, action, |now_ms| {
            move |tx: &mut Tx| async move { Ok(tx.admin().clear_totp(id, now_ms).await?) }.boxed()
        })
        .await
    }

    /// Replaces the recovery codes; gives the new ones, once.
    pub async fn renew_recovery_codes(
        &self,
        login: &CurrentLogin,
        password: &Password,
        code: &str,
    ) -> Result<Vec<String>, IdentityError> {
        self.prove_both(login, password, code).await?;
        let codes = self.draw_recovery_codes();
        let hashes: Vec<_> = codes
            .iter()
            .map(|code| hash_of(&normalized(code)))
            .collect();
        let id = login.user.id;
        self.0
            .store
            .write::<_, IdentityError, _>(Lane::SHARED, move |tx| {
                async move { Ok(tx.admin().put_recovery_codes(id, &hashes).await?) }.boxed()
            })
            .await?;
        Ok(codes)
    }

    /// Checks the password and a code of somebody who is signed in.
    async fn prove_both(
        &self,
        login: &CurrentLogin,
        password: &Password,
        code: &str,
    ) -> Result<(), IdentityError> {
        let user = &login.user;
        let secrets = self.confirm_password(user, "password", password).await?;
        if !secrets.is_totp_confirmed {
            return Err(IdentityError::Refused(Refusal::SecondFactorOff));
        }
        let counters = vec![super::throttle::Counter::of_account(
            "code",
            user.email.as_str(),
        )];
        self.charge(counters.clone()).await?;
        match self.check_second_factor(user, &secrets, Some(code)).await {
            Ok(()) => self.refund(counters).await,
            Err(IdentityError::Refused(_)) => Err(IdentityError::Invalid(Faults::one(
                "code",
                "is wrong or was used already",
            ))),
            Err(error) => Err(error),
        }
    }

    fn draw_recovery_codes(&self) -> Vec<String> {
        (0..RECOVERY_CODES)
            .map(|_| {
                let mut bytes = [0; RECOVERY_CODE_CHARS];
                self.0.randomness.fill(&mut bytes);
                let letters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
                let text: Vec<String> = letters
                    .chunks(4)
                    .map(|part| part.iter().collect())
                    .collect();
                text.join("-")
            })
            .collect()
    }
}
