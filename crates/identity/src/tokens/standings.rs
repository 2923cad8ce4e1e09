//! What people may do now: by the store, and not by what was true when their token was made.

use std::sync::Arc;

use wagate_model::{LoginId, OrganizationId, PersonPrincipal, Subject, UserId};
use wagate_store::{Standing, StoreError};

use crate::error::{AuthError, TokenFault};
use crate::principal::Principal;
use crate::remembered::{About, Remembered};
use crate::service::Identity;

/// How long a standing is believed where nobody says that it changed.
pub(crate) const STANDING_FOR_MS: i64 = 30_000;
/// How long an organization is believed to be there, or not: nobody says when that changes.
pub(crate) const ORGANIZATION_FOR_MS: i64 = 1_000;

/// A person by a token, who may or may not be in an organization.
#[derive(Debug)]
pub(crate) struct Person {
    /// The organization that the token names.
    organization: Option<OrganizationId>,
    /// Who calls while the organization is there.
    within: Arc<Principal>,
    /// Who calls when it is gone.
    without: Arc<Principal>,
}

impl Person {
    /// Somebody with an organization; without one where the person may do nothing there.
    pub(crate) fn new(person: PersonPrincipal) -> Self {
        let is_in = person.role.is_some() || person.is_super_admin();
        let organization = person.organization_id.filter(|_| is_in);
        let without = PersonPrincipal {
            organization_id: None,
            role: None,
            ..person.clone()
        };
        let within = PersonPrincipal {
            organization_id: organization,
            role: organization.and(person.role),
            ..person
        };
        Self {
            organization,
            within: Arc::new(Principal::Person(within)),
            without: Arc::new(Principal::Person(without)),
        }
    }
}

/// A person, a browser, and an organization.
pub(crate) type StandingKey = (UserId, LoginId, Option<OrganizationId>);

/// What a user may do, as the store told it.
pub(crate) struct KnownStanding {
    user: UserId,
    /// Nobody where the login has ended or the user is banned.
    person: Option<Person>,
    /// When the login ends unless it is used.
    ends_at_ms: i64,
}

impl About for KnownStanding {
    type Subject = UserId;

    fn subject(&self) -> UserId {
        self.user
    }
}

/// Whether an organization is there, as the store told it.
pub(crate) struct KnownOrganization {
    id: OrganizationId,
    exists: bool,
}

impl About for KnownOrganization {
    type Subject = OrganizationId;

    fn subject(&self) -> OrganizationId {
        self.id
    }
}

pub(crate) type Standings = Remembered<StandingKey, KnownStanding>;
pub(crate) type Organizations = Remembered<OrganizationId, KnownOrganization>;

impl Identity {
    /// Who a user is now, by a browser that a token was made for.
    pub(crate) async fn stand(&self, key: StandingKey) -> Result<Arc<Principal>, AuthError> {
        let now_ms = self.now_ms();
        let known = self
            .0
            .tokens
            .standings
            .find_or_load(key, now_ms, || self.load_standing(key, now_ms))
            .await
            .map_err(AuthError::Unavailable)?;
        let is_signed_in = known.ends_at_ms > now_ms;
        match known.person.as_ref().filter(|_| is_signed_in) {
            Some(person) => self.place(person).await,
            None => Err(TokenFault::SignedOut.into()),
        }
    }

    /// Who a person is now, by whether the organization is there.
    pub(crate) async fn place(&self, person: &Person) -> Result<Arc<Principal>, AuthError> {
        let Some(id) = person.organization else {
            return Ok(Arc::clone(&person.within));
        };
        let known = self
            .0
            .tokens
            .organizations
            .find_or_load(id, self.now_ms(), || self.load_organization(id))
            .await
            .map_err(AuthError::Unavailable)?;
        Ok(Arc::clone(if known.exists {
            &person.within
        } else {
            &person.without
        }))
    }

    async fn load_standing(
        &self,
        (user, login, organization): StandingKey,
        now_ms: i64,
    ) -> Result<KnownStanding, Arc<StoreError>> {
        let found = async {
            let mut tx = self.0.store.read().await?;
            let mut admin = tx.admin();
            admin.standing(user, login, organization, now_ms).await
        };
        let standing = found.await.map_err(Arc::new)?;
        let ends_at_ms = standing.as_ref().map_or(i64::MIN, |found| found.expires_at);
        let person = |standing: Standing| {
            Person::new(PersonPrincipal {
                subject: Subject::User {
                    user_id: user,
                    login_id: login,
                },
                name: standing.name,
                organization_id: organization.filter(|_| standing.has_organization),
                role: standing.role,
                platform_role: standing.platform_role,
            })
        };
        Ok(KnownStanding {
            user,
            person: standing.map(person),
            ends_at_ms,
        })
    }

    async fn load_organization(
        &self,
        id: OrganizationId,
    ) -> Result<KnownOrganization, Arc<StoreError>> {
        let found = async { self.0.store.read().await?.organization(id).await };
        let exists = found.await.map_err(Arc::new)?.is_some();
        Ok(KnownOrganization { id, exists })
    }
}
