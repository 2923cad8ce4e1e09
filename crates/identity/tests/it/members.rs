//! Organizations: their members, roles and invitations.

use wagate_identity::{CurrentLogin, IdentityError, NewAccount, NewInvitation, Refusal, SignUp};
use wagate_model::{
    Actor, AuditAction, Invitation, Organization, OrganizationId, Role, User, UserId,
};

use crate::harness::{Service, client, email, mailer, new_user, password};

const DAY_MS: i64 = 24 * 3_600_000;

fn refusal<T: std::fmt::Debug>(result: Result<T, IdentityError>) -> Refusal {
    match result {
        Err(IdentityError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn is_void<T>(result: Result<T, IdentityError>) -> bool {
    matches!(result, Err(IdentityError::Invalid(faults))
        if faults.clone().into_vec()[0].field == "token")
}

/// An organization with somebody of each role.
struct Acme {
    service: Service,
    organization: Organization,
    owner: User,
    admin: User,
    member: User,
}

impl Acme {
    async fn start() -> Self {
        Self::with(SignUp::Invitation).await
    }

    async fn with(sign_up: SignUp) -> Self {
        let service = Service::with(|config| config.sign_up = sign_up).await;
        let owner = service.user("owner@example.com").await;
        let organization = service
            .identity
            .found_organization("Acme", &owner)
            .await
            .unwrap();
        let join = async |address: &str, role| {
            let new = wagate_identity::NewUser {
                membership: Some((organization.id, role)),
                ..new_user(address)
            };
            service.identity.create_user(new, None).await.unwrap()
        };
        let admin = join("admin@example.com", Role::Admin).await;
        let member = join("member@example.com", Role::Member).await;
        Self {
            service,
            organization,
            owner,
            admin,
            member,
        }
    }

    const fn id(&self) -> OrganizationId {
        self.organization.id
    }

    async fn roles(&self) -> Vec<(UserId, Role)> {
        let members = self.service.identity.members(self.id()).await.unwrap();
        members.into_iter().map(|m| (m.user_id, m.role)).collect()
    }

    async fn set_role(
        &self,
        user: &User,
        role: Role,
        by: Role,
    ) -> Result<wagate_model::Member, IdentityError> {
        let actor = Actor::operator();
        self.service
            .identity
            .set_member_role(self.id(), user.id, role, (&actor, by))
            .await
    }

    async fn remove(&self, user: &User, by: Role) -> Result<(), IdentityError> {
        let actor = Actor::operator();
        self.service
            .identity
            .remove_member(self.id(), user.id, (&actor, by))
            .await
    }

    async fn leave(&self, user: &User) -> Result<(), IdentityError> {
        let actor = Actor::operator();
        self.service
            .identity
            .leave_organization(self.id(), user.id, &actor)
            .await
    }

    /// Invites, and gives what is in the link.
    async fn invite(&self, address: &str, role: Role) -> (Invitation, String) {
        let new = NewInvitation {
            email: email(address),
            role,
            hours: None,
        };
        let actor = Actor::operator();
        let issued = self
            .service
            .identity
            .invite(&self.organization, new, (&actor, Role::Owner))
            .await
            .unwrap();
        let link = issued.link.unwrap();
        let (_, token) = link.split_once("#token=").unwrap();
        (issued.invitation, token.to_owned())
    }

    async fn signed_in(&self, user: &User) -> CurrentLogin {
        let login = self
            .service
            .identity
            .begin_login(user, &client("192.0.2.1"))
            .await;
        login.unwrap().current
    }

    async fn accept_anew(&self, token: &str) -> Result<(User, Organization), IdentityError> {
        let account = NewAccount {
            name: "Bob".into(),
            password: password("correct horse battery"),
        };
        self.service
            .identity
            .accept_invitation_anew(token, account)
            .await
    }
}

#[tokio::test]
async fn roles_change_and_an_owner_stays() {
    let acme = Acme::start().await;
    acme.set_role(&acme.member, Role::Admin, Role::Admin)
        .await
        .unwrap();
    assert_eq!(
        refusal(acme.set_role(&acme.member, Role::Owner, Role::Admin).await),
        Refusal::OwnersOnly
    );
    assert_eq!(
        refusal(acme.set_role(&acme.owner, Role::Member, Role::Admin).await),
        Refusal::OwnersOnly
    );
    assert_eq!(
        refusal(acme.remove(&acme.owner, Role::Admin).await),
        Refusal::OwnersOnly
    );
    for refused in [
        refusal(acme.set_role(&acme.owner, Role::Member, Role::Owner).await),
        refusal(acme.remove(&acme.owner, Role::Owner).await),
        refusal(acme.leave(&acme.owner).await),
    ] {
        assert_eq!(refused, Refusal::LastOwner);
    }
    acme.set_role(&acme.admin, Role::Owner, Role::Owner)
        .await
        .unwrap();
    acme.leave(&acme.owner).await.unwrap();
    acme.remove(&acme.member, Role::Admin).await.unwrap();
    assert_eq!(acme.roles().await, [(acme.admin.id, Role::Owner)]);
    let stranger = acme.service.user("x@example.com").await;
    let refused = acme.remove(&stranger, Role::Owner).await;
    assert!(matches!(refused, Err(IdentityError::NotFound)));
}

#[tokio::test]
async fn two_owners_who_leave_at_once_leave_one() {
    let acme = Acme::start().await;
    acme.set_role(&acme.admin, Role::Owner, Role::Owner)
        .await
        .unwrap();
    // In two processes, as two routers do.
    let other = acme.service.second().await;
    let actor = Actor::operator();
    let (id, admin) = (acme.id(), acme.admin.id);
    let (first, second) = tokio::join!(
        acme.leave(&acme.owner),
        other.leave_organization(id, admin, &actor)
    );
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let roles = acme.roles().await;
    let owners = roles.iter().filter(|(_, role)| *role == Role::Owner);
    assert_eq!(owners.count(), 1);
}

#[tokio::test]
async fn the_ownership_is_transferred_once() {
    let acme = Acme::start().await;
    let actor = Actor::operator();
    let transfer = async |from: &User, to: &User| {
        acme.service
            .identity
            .transfer_ownership(acme.id(), from.id, to.id, &actor)
            .await
    };
    transfer(&acme.owner, &acme.member).await.unwrap();
    assert_eq!(
        refusal(transfer(&acme.owner, &acme.admin).await),
        Refusal::OwnersOnly
    );
    let stranger = acme.service.user("x@example.com").await;
    let unknown = transfer(&acme.member, &stranger).await;
    assert!(matches!(unknown, Err(IdentityError::NotFound)));
    let mut expected = [
        (acme.owner.id, Role::Admin),
        (acme.admin.id, Role::Admin),
        (acme.member.id, Role::Owner),
    ];
    expected.sort_unstable();
    assert_eq!(acme.roles().await, expected);
    let log = acme.service.log_of(acme.id()).await;
    assert_eq!(log.last(), Some(&AuditAction::OwnershipTransferred));
}

#[tokio::test]
async fn an_invitation_makes_one_member() {
    let acme = Acme::start().await;
    let (invitation, token) = acme.invite("bob@example.com", Role::Admin).await;
    let identity = &acme.service.identity;
    let preview = identity.preview_invitation(&token).await.unwrap();
    assert_eq!(preview.organization, acme.organization);
    assert_eq!(preview.invitation, invitation);
    assert_eq!(identity.invitations(acme.id()).await.unwrap(), [invitation]);
    let (bob, joined) = acme.accept_anew(&token).await.unwrap();
    assert_eq!(joined.id, acme.id());
    assert!(acme.roles().await.contains(&(bob.id, Role::Admin)));
    // Whoever had the link need not have the address: it came by hand.
    assert!(!identity.user(bob.id).await.unwrap().is_email_confirmed);
    assert!(is_void(acme.accept_anew(&token).await));
    assert!(is_void(identity.preview_invitation(&token).await));
    let actor = Actor::operator();
    let again = NewInvitation {
        email: email("bob@example.com"),
        role: Role::Member,
        hours: None,
    };
    let refused = identity
        .invite(&acme.organization, again, (&actor, Role::Owner))
        .await;
    assert_eq!(refusal(refused), Refusal::AlreadyMember);
}

#[tokio::test]
async fn an_invitation_is_for_the_owner_of_the_address() {
    let acme = Acme::start().await;
    let bob = acme.service.user("bob@example.com").await;
    let eve = acme.service.user("eve@example.com").await;
    let (_, token) = acme.invite("bob@example.com", Role::Member).await;
    let identity = &acme.service.identity;
    let eve = acme.signed_in(&eve).await;
    assert!(is_void(identity.accept_invitation(&token, &eve).await));
    assert_eq!(
        refusal(acme.accept_anew(&token).await),
        Refusal::SignInFirst
    );
    let login = acme.signed_in(&bob).await;
    identity.accept_invitation(&token, &login).await.unwrap();
    assert!(acme.roles().await.contains(&(bob.id, Role::Member)));
    // The new member's browser can switch to it; a stranger's cannot.
    let switched = identity
        .switch_organization(login, acme.id())
        .await
        .unwrap();
    assert_eq!(switched.principal.organization_id, Some(acme.id()));
    assert_eq!(switched.principal.role, Some(Role::Member));
    let refused = identity.switch_organization(eve, acme.id()).await;
    assert!(matches!(refused, Err(IdentityError::NotFound)));
    // Removed, it has no organization any more.
    acme.remove(&bob, Role::Admin).await.unwrap();
    let again = acme.signed_in(&bob).await;
    assert_eq!(again.principal.organization_id, None);
}

#[tokio::test]
async fn old_replaced_and_revoked_invitations_are_void() {
    let acme = Acme::start().await;
    let identity = &acme.service.identity;
    let (_, replaced) = acme.invite("bob@example.com", Role::Member).await;
    let (invitation, revoked) = acme.invite("bob@example.com", Role::Member).await;
    let actor = Actor::operator();
    identity
        .revoke_invitation(acme.id(), invitation.id, &actor)
        .await
        .unwrap();
    let twice = identity
        .revoke_invitation(acme.id(), invitation.id, &actor)
        .await;
    assert!(matches!(twice, Err(IdentityError::NotFound)));
    let (_, old) = acme.invite("bob@example.com", Role::Member).await;
    acme.service.clock.advance_ms(7 * DAY_MS);
    for token in [&replaced, &revoked, &old, ""] {
        assert!(is_void(acme.accept_anew(token).await), "{token}");
    }
    assert!(identity.invitations(acme.id()).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_sign_up_is_closed_an_invitation_makes_no_account() {
    let acme = Acme::with(SignUp::Closed).await;
    let (_, token) = acme.invite("bob@example.com", Role::Member).await;
    assert_eq!(
        refusal(acme.accept_anew(&token).await),
        Refusal::SignUpClosed
    );
}

#[tokio::test]
async fn by_mail_only_the_invited_person_gets_the_link() {
    let service = Service::with(|config| {
        config.mailer = Some(mailer());
        config.sign_up = SignUp::Invitation;
    })
    .await;
    let owner = service.user("owner@example.com").await;
    let identity = &service.identity;
    let acme = identity.found_organization("Acme", &owner).await.unwrap();
    let invite = async |role, by| {
        let new = NewInvitation {
            email: email("bob@example.com"),
            role,
            hours: Some(1),
        };
        let actor = Actor::operator();
        identity.invite(&acme, new, (&actor, by)).await
    };
    let issued = invite(Role::Member, Role::Admin).await.unwrap();
    assert!(issued.link.is_none());
    let mail = service.mails.next().await;
    assert_eq!(mail.to.as_str(), "bob@example.com");
    let (_, token) = mail.text.split_once("/account/invitation#token=").unwrap();
    let account = NewAccount {
        name: "Bob".into(),
        password: password("correct horse battery"),
    };
    let made = identity.accept_invitation_anew(token.trim(), account).await;
    let (bob, _) = made.unwrap();
    assert!(identity.user(bob.id).await.unwrap().is_email_confirmed);
    assert_eq!(
        refusal(invite(Role::Owner, Role::Admin).await),
        Refusal::OwnersOnly
    );
}

#[tokio::test]
async fn where_the_operator_keeps_it_users_found_no_organizations() {
    let service = Service::with(|config| config.users_create_organizations = false).await;
    let user = service.user("ann@example.com").await;
    let refused = service.identity.found_organization("Acme", &user).await;
    assert_eq!(refusal(refused), Refusal::OperatorOnly);
}

#[tokio::test]
async fn what_happens_in_an_organization_is_in_its_log_only() {
    let acme = Acme::start().await;
    let other = acme.service.user("other@example.com").await;
    let elsewhere = acme
        .service
        .identity
        .found_organization("Elsewhere", &other)
        .await
        .unwrap();
    acme.set_role(&acme.member, Role::Admin, Role::Owner)
        .await
        .unwrap();
    // Nothing changes, so nothing is said.
    acme.set_role(&acme.member, Role::Admin, Role::Owner)
        .await
        .unwrap();
    acme.leave(&acme.member).await.unwrap();
    assert_eq!(
        acme.service.log_of(acme.id()).await,
        [
            AuditAction::OrganizationCreated,
            AuditAction::MemberJoined,
            AuditAction::MemberJoined,
            AuditAction::MemberJoined,
            AuditAction::MemberRoleChanged,
            AuditAction::MemberLeft,
        ]
    );
    assert_eq!(
        acme.service.log_of(elsewhere.id).await,
        [AuditAction::OrganizationCreated, AuditAction::MemberJoined]
    );
}
