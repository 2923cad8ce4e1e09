//! People who are signed in, as the store has them.

use futures::FutureExt as _;
use wagate_model::{LoginId, OrganizationId, PersonPrincipal, PlatformRole, Role, User, UserId};
use wagate_store::{Lane, LoginRecord, StoreError, Tx};

use wagate_identity::{AuthError, Identity, Principal};

use crate::harness::Service;

impl Service {
    /// Changes the store as another process would.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl for<'t> FnOnce(&'t mut Tx) -> futures::future::BoxFuture<'t, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> T {
        self.store.write(Lane::SHARED, change).await.unwrap()
    }

    /// A user with an address that is confirmed.
    pub(crate) async fn stored_user(&self, number: u128, email: &str) -> User {
        let user = User {
            id: UserId::from_parts(1, number),
            email: email.parse().unwrap(),
            name: "Ann".into(),
            platform_role: PlatformRole::User,
            is_email_confirmed: true,
            has_password: false,
            has_totp: false,
            banned_at: None,
            ban_reason: None,
            created_at: self.now_ms(),
            last_login_at: None,
        };
        let row = user.clone();
        self.change(move |tx| async move { tx.admin().insert_user(&row, None).await }.boxed())
            .await;
        user
    }

    /// A member of an organization, in a browser where that is active.
    pub(crate) async fn signed_in(&self, organization: OrganizationId, role: Role) -> LoginRecord {
        let user = self.stored_user(1, "ann@example.com").await;
        let now_ms = self.now_ms();
        let login = LoginRecord {
            id: LoginId::from_parts(1, 2),
            user_id: user.id,
            active_organization_id: Some(organization),
            user_agent: None,
            created_at: now_ms,
            last_used_at: now_ms,
            expires_at: now_ms + 90 * 86_400_000,
        };
        let row = login.clone();
        self.change(move |tx| {
            async move {
                tx.insert_member(organization, row.user_id, role, now_ms)
                    .await?;
                tx.admin().insert_login(&row, &[1; 32]).await
            }
            .boxed()
        })
        .await;
        login
    }
}

/// Who a token is recognized as.
pub(crate) async fn person(identity: &Identity, token: &str) -> Result<PersonPrincipal, AuthError> {
    match &*identity.authenticate(token).await? {
        Principal::Person(person) => Ok(person.clone()),
        Principal::ApiKey(_) => panic!("a token is no key"),
    }
}
