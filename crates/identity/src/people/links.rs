//! One-time links: for a new password, and to confirm an address.
//!
//! What makes a link work stands behind `#`, which no server and no log ever sees.

use futures::FutureExt as _;
use wagate_model::{Actor, AuditAction, Email, Faults, User, UserId};
use wagate_store::{Lane, LinkPurpose};

use super::account::actor_of;
use super::logins::Client;
use super::passwords::Password;
use super::throttle::Counter;
use crate::error::IdentityError;
use crate::mail::Mail;
use crate::secrets::{OneTimeSecret, hash_of};
use crate::service::Identity;

/// How long a link for a new password works, in milliseconds.
const RESET_FOR_MS: i64 = 3_600_000;
/// How long a link that confirms an address works, in milliseconds.
const CONFIRM_FOR_MS: i64 = 24 * 3_600_000;

/// What a link that is unknown, used or too old is told as.
pub(crate) fn void_link() -> IdentityError {
    IdentityError::Invalid(Faults::one(
        "token",
        "is unknown, was used already or is too old: ask for a new link",
    ))
}

impl Identity {
    /// A link into the pages for people, with a secret in it.
    pub(crate) fn link(&self, page: &str, secret: &OneTimeSecret) -> String {
        let config = &self.0.config;
        let base = config.public_url.as_ref().or(config.local_url.as_ref());
        let base = base.map_or("", |url| url.as_str().trim_end_matches('/'));
        format!("{base}/account/{page}#token={}", secret.reveal())
    }

    /// Hands a mail to the mail server in the background: how long that takes would tell
    /// whether an account exists.
    pub(crate) fn send_mail(&self, mail: Mail) {
        let Some(mailer) = self.0.config.mailer.clone() else {
            return;
        };
        tokio::spawn(async move {
            let outcome = match mailer.send(mail).await {
                Ok(()) => "sent",
                Err(error) => {
                    tracing::warn!(%error, "a mail was not sent");
                    "failed"
                }
            };
            metrics::counter!("wagate_mails_total", "outcome" => outcome).increment(1);
        });
    }

    /// Makes a link that sets a new password, for an operator to hand over.
    pub async fn issue_password_reset(
        &self,
        user: &User,
        actor: &Actor,
    ) -> Result<String, IdentityError> {
        let secret = OneTimeSecret::draw(&*self.0.randomness);
        let (id, hash) = (user.id, secret.hash());
        let action = AuditAction::UserPasswordResetIssued;
        self.change_user(user, actor, action, |now_ms| {
            move |tx: &mut wagate_store::Tx| {
                async move {
                    let until = now_ms + RESET_FOR_MS;
                    tx.admin()
                        .put_link(&hash, id, LinkPurpose::PasswordReset, now_ms, until)
                        .await?;
                    Ok(true)
                }
                .boxed()
            }
        })
        .await?;
        Ok(self.link("reset-password", &secret))
    }

    /// Mails a link for a new password to the owner of an address; says nothing about whether
    /// there is an account.
    pub async fn request_password_reset(
        &self,
        email: &Email,
        client: &Client,
    ) -> Result<(), IdentityError> {
        let counters = client.counters("mail", email.as_str());
        self.charge(counters).await?;
        if self.0.config.mailer.is_none() {
            tracing::info!("somebody asked for a new password, and no mail server is configured");
            return Ok(());
        }
        let mut tx = self.0.store.read().await?;
        let user = tx.admin().user_by_email(email).await?;
        drop(tx);
        let Some(user) = user.filter(|user| user.banned_at.is_none()) else {
            return Ok(());
        };
        let identity = self.clone();
        tokio::spawn(async move {
            match identity.issue_password_reset(&user, &actor_of(&user)).await {
                Ok(link) => identity.send_mail(Mail {
                    to: user.email,
                    subject: "Set a new password".into(),
                    text: format!(
                        "Somebody, most likely you, asked for a new password.\n\nTo set one, open \
                         this link within an hour:\n\n{link}\n\nIf it was not you, do nothing: \
                         the old password goes on working.\n"
                    ),
                }),
                Err(error) => tracing::warn!(%error, "no link for a new password was made"),
            }
        });
        Ok(())
    }

    /// Sets a new password by a link; whoever was signed in is not any more.
    pub async fn reset_password(
        &self,
        token: &str,
        password: &Password,
    ) -> Result<UserId, IdentityError> {
        let mut faults = Faults::new();
        password.check("password", &[], &mut faults);
        faults.into_result().map_err(IdentityError::Invalid)?;
        let (hash, now_ms) = (hash_of(token), self.now_ms());
        let password_hash = self.hash(password).await?;
        let identity = self.clone();
        let user = self
            .0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let mut admin = tx.admin();
                    let owner = admin.take_link(&hash, LinkPurpose::PasswordReset, now_ms);
                    let id = owner.await?.ok_or_else(void_link)?;
                    let user = admin.user(id).await?.ok_or_else(void_link)?;
                    // The link came by mail where there is a mailer, which proves the address.
                    let is_proof = identity.0.config.mailer.is_some();
                    admin
                        .set_password(id, &password_hash, is_proof, now_ms)
                        .await?;
                    admin.delete_logins(id, None).await?;
                    let action = AuditAction::UserPasswordReset;
                    identity
                        .audit_user(tx, &user, &actor_of(&user), action)
                        .await?;
                    Ok::<_, IdentityError>(user)
                }
                .boxed()
            })
            .await?;
        self.forget_user(user.id);
        self.refund(vec![Counter::of_account("login", user.email.as_str())])
            .await?;
        Ok(user.id)
    }

    /// Mails a link that confirms an address.
    pub(crate) async fn mail_confirmation(&self, user: &User) -> Result<(), IdentityError> {
        let secret = OneTimeSecret::draw(&*self.0.randomness);
        let (id, hash, now_ms) = (user.id, secret.hash(), self.now_ms());
        self.0
            .store
            .write::<_, IdentityError, _>(Lane::SHARED, move |tx| {
                async move {
                    let until = now_ms + CONFIRM_FOR_MS;
                    tx.admin()
                        .put_link(&hash, id, LinkPurpose::EmailConfirmation, now_ms, until)
                        .await?;
                    Ok(())
                }
                .boxed()
            })
            .await?;
        let link = self.link("confirm", &secret);
        self.send_mail(Mail {
            to: user.email.clone(),
            subject: "Confirm your e-mail address".into(),
            text: format!(
                "Somebody, most likely you, made an account with this address.\n\nTo confirm it, \
                 open this link within a day:\n\n{link}\n\nIf it was not you, do nothing.\n"
            ),
        });
        Ok(())
    }

    /// Confirms an address by a link.
    pub async fn confirm_email(&self, token: &str) -> Result<(), IdentityError> {
        let (hash, now_ms) = (hash_of(token), self.now_ms());
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let mut admin = tx.admin();
                    let owner = admin.take_link(&hash, LinkPurpose::EmailConfirmation, now_ms);
                    let user = owner.await?.ok_or_else(void_link)?;
                    admin.confirm_email(user, now_ms).await?;
                    Ok(())
                }
                .boxed()
            })
            .await
    }
}
