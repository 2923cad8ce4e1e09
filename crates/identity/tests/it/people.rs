//! Accounts, and how people sign in.

use wagate_identity::{IdentityError, LogIn, NewLogin, Refusal, SignUp, SignUpRequest};
use wagate_model::{Actor, AuditAction, PlatformRole};

use crate::harness::{PASSWORD, Service, client, email, new_user, password};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

fn refusal<T: std::fmt::Debug>(result: Result<T, IdentityError>) -> Refusal {
    match result {
        Err(IdentityError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn faults<T: std::fmt::Debug>(result: Result<T, IdentityError>) -> Vec<String> {
    match result {
        Err(IdentityError::Invalid(faults)) => faults
            .into_vec()
            .into_iter()
            .map(|fault| fault.field)
            .collect(),
        other => panic!("not invalid: {other:?}"),
    }
}

fn seconds_to_wait<T: std::fmt::Debug>(result: Result<T, IdentityError>) -> i64 {
    match result {
        Err(IdentityError::TooManyFailures {
            retry_after_seconds,
        }) => retry_after_seconds,
        other => panic!("not slowed down: {other:?}"),
    }
}

impl Service {
    async fn log_in(&self, address: &str, word: &str) -> Result<NewLogin, IdentityError> {
        self.log_in_with(address, word, None).await
    }

    async fn log_in_with(
        &self,
        address: &str,
        word: &str,
        code: Option<&str>,
    ) -> Result<NewLogin, IdentityError> {
        let request = LogIn {
            email: email(address),
            password: password(word),
            code: code.map(str::to_owned),
        };
        self.identity.log_in(request, &client("192.0.2.1")).await
    }

    async fn is_signed_in(&self, login: &NewLogin) -> bool {
        let secret = login.secret.reveal();
        self.identity.current_login(secret).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn a_person_signs_in_and_out() {
    let service = Service::start().await;
    let user = service.user("Ann@Example.com").await;
    let login = service.log_in("ann@example.COM", PASSWORD).await.unwrap();
    assert_eq!(login.current.user.id, user.id);
    let secret = login.secret.reveal();
    let current = service.identity.current_login(secret).await.unwrap();
    let current = current.unwrap();
    assert_eq!(current.record.id, login.current.record.id);
    assert_eq!(current.record.user_agent.as_deref(), Some("test"));
    assert!(current.principal.organization_id.is_none());

    let id = login.current.record.id;
    service.identity.end_login(user.id, id).await.unwrap();
    assert!(!service.is_signed_in(&login).await);
    let again = service.identity.end_login(user.id, id).await;
    assert!(matches!(again, Err(IdentityError::NotFound)));
}

#[tokio::test]
async fn another_installations_cookie_is_nobodys() {
    let service = Service::start().await;
    for secret in ["", "x", &"A".repeat(43), "a\0b"] {
        let found = service.identity.current_login(secret).await.unwrap();
        assert!(found.is_none(), "{secret:?}");
    }
}

#[tokio::test]
async fn an_unused_login_ends_and_a_used_one_goes_on() {
    let service = Service::start().await;
    service.user("ann@example.com").await;
    let used = service.log_in("ann@example.com", PASSWORD).await.unwrap();
    let unused = service.log_in("ann@example.com", PASSWORD).await.unwrap();
    for _ in 0..4 {
        service.clock.advance_ms(10 * DAY_MS);
        assert!(service.is_signed_in(&used).await);
    }
    assert!(!service.is_signed_in(&unused).await);
}

#[tokio::test]
async fn what_is_wrong_is_told_alike() {
    let service = Service::with(|config| config.mailer = Some(crate::harness::mailer())).await;
    let banned = service.user("banned@example.com").await;
    let actor = Actor::operator();
    service
        .identity
        .ban_user(&banned, Some("spam"), &actor)
        .await
        .unwrap();
    let unconfirmed = wagate_identity::NewUser {
        is_email_confirmed: false,
        ..new_user("new@example.com")
    };
    service
        .identity
        .create_user(unconfirmed, None)
        .await
        .unwrap();
    service.user("ann@example.com").await;
    for (address, word) in [
        ("nobody@example.com", PASSWORD),
        ("ann@example.com", "another password"),
        ("ann@example.com", ""),
        ("banned@example.com", PASSWORD),
        ("new@example.com", PASSWORD),
    ] {
        let refused = refusal(service.log_in(address, word).await);
        assert_eq!(refused, Refusal::WrongCredentials, "{address}");
    }
}

#[tokio::test]
async fn guesses_are_slowed_down_whether_the_account_exists_or_not() {
    for address in ["ann@example.com", "nobody@example.com"] {
        let service = Service::start().await;
        service.user("ann@example.com").await;
        for _ in 0..5 {
            refusal(service.log_in(address, "a wrong password").await);
        }
        assert_eq!(
            seconds_to_wait(service.log_in(address, PASSWORD).await),
            1,
            "{address}"
        );
        service.clock.advance_ms(1_000);
        refusal(service.log_in(address, "a wrong password").await);
        assert_eq!(seconds_to_wait(service.log_in(address, PASSWORD).await), 2);
    }
}

#[tokio::test]
async fn the_right_password_forgives_the_accounts_failures() {
    let service = Service::start().await;
    service.user("ann@example.com").await;
    for _ in 0..3 {
        for _ in 0..4 {
            refusal(service.log_in("ann@example.com", "a wrong password").await);
        }
        service.log_in("ann@example.com", PASSWORD).await.unwrap();
    }
}

#[tokio::test]
async fn many_guesses_at_the_same_time_count_too() {
    let service = Service::start().await;
    service.user("ann@example.com").await;
    let guesses = (0..20).map(|_| service.log_in("ann@example.com", "a wrong password"));
    let results = futures::future::join_all(guesses).await;
    let tried = results
        .iter()
        .filter(|result| matches!(result, Err(IdentityError::Refused(_))));
    assert_eq!(tried.count(), 5);
}

#[tokio::test]
async fn an_address_that_guesses_at_many_accounts_is_slowed_down() {
    let service = Service::start().await;
    service.user("ann@example.com").await;
    for number in 0..30 {
        let address = format!("user{number}@example.com");
        refusal(service.log_in(&address, "a wrong password").await);
    }
    assert_eq!(
        seconds_to_wait(service.log_in("ann@example.com", PASSWORD).await),
        1
    );
    // A right password in between does not open the door for more guesses.
    service.clock.advance_ms(1_000);
    service.log_in("ann@example.com", PASSWORD).await.unwrap();
    refusal(
        service
            .log_in("user99@example.com", "a wrong password")
            .await,
    );
    seconds_to_wait(service.log_in("ann@example.com", PASSWORD).await);
    // Others are not concerned, and in the end all is forgotten.
    let request = LogIn {
        email: email("ann@example.com"),
        password: password(PASSWORD),
        code: None,
    };
    let elsewhere = client("192.0.2.99");
    service.identity.log_in(request, &elsewhere).await.unwrap();
    service.clock.advance_ms(DAY_MS);
    for number in 0..30 {
        let address = format!("other{number}@example.com");
        refusal(service.log_in(&address, "a wrong password").await);
    }
}

#[tokio::test]
async fn a_changed_password_signs_other_browsers_out() {
    let service = Service::start().await;
    service.user("ann@example.com").await;
    let here = service.log_in("ann@example.com", PASSWORD).await.unwrap();
    let there = service.log_in("ann@example.com", PASSWORD).await.unwrap();
    let change = async |current: &str, new: &str| {
        let (current, new) = (password(current), password(new));
        service
            .identity
            .change_password(&here.current, &current, &new)
            .await
    };
    assert_eq!(faults(change(PASSWORD, "short").await), ["newPassword"]);
    assert_eq!(
        faults(change("a wrong password", "incorrect horse").await),
        ["currentPassword"]
    );
    // Two tabs: one of them wins.
    let (first, second) = tokio::join!(
        change(PASSWORD, "incorrect horse"),
        change(PASSWORD, "another horse")
    );
    let word = match (&first, &second) {
        (Ok(()), Err(_)) => "incorrect horse",
        (Err(_), Ok(())) => "another horse",
        other => panic!("{other:?}"),
    };
    assert!(service.is_signed_in(&here).await);
    assert!(!service.is_signed_in(&there).await);
    service.log_in("ann@example.com", word).await.unwrap();
    refusal(service.log_in("ann@example.com", PASSWORD).await);
}

#[tokio::test]
async fn a_link_sets_a_new_password_once() {
    let service = Service::start().await;
    let user = service.user("ann@example.com").await;
    let login = service.log_in("ann@example.com", PASSWORD).await.unwrap();
    let issue = async || {
        let link = service
            .identity
            .issue_password_reset(&user, &Actor::operator())
            .await;
        let link = link.unwrap();
        let (page, token) = link.split_once("#token=").unwrap();
        assert_eq!(page, "https://wagate.example/account/reset-password");
        token.to_owned()
    };
    let reset = async |token: &str, word: &str| {
        service
            .identity
            .reset_password(token, &password(word))
            .await
    };
    let (void, token) = (issue().await, issue().await);
    assert_eq!(faults(reset(&void, "incorrect horse").await), ["token"]);
    assert_eq!(faults(reset(&token, "short").await), ["password"]);
    reset(&token, "incorrect horse").await.unwrap();
    assert_eq!(faults(reset(&token, "incorrect horse").await), ["token"]);
    assert!(!service.is_signed_in(&login).await);
    service
        .log_in("ann@example.com", "incorrect horse")
        .await
        .unwrap();

    let late = issue().await;
    service.clock.advance_ms(60 * MINUTE_MS);
    assert_eq!(faults(reset(&late, "another horse").await), ["token"]);
}

#[tokio::test]
async fn a_forgotten_password_is_answered_by_mail_only() {
    let service = Service::with(|config| config.mailer = Some(crate::harness::mailer())).await;
    service.user("ann@example.com").await;
    for address in ["nobody@example.com", "ann@example.com"] {
        service
            .identity
            .request_password_reset(&email(address), &client("192.0.2.1"))
            .await
            .unwrap();
    }
    let mail = service.mails.next().await;
    assert_eq!(mail.to.as_str(), "ann@example.com");
    let (_, token) = mail.text.split_once("#token=").unwrap();
    let token = token.split_whitespace().next().unwrap();
    let word = password("incorrect horse");
    service.identity.reset_password(token, &word).await.unwrap();
    assert!(service.mails.is_empty());
    // Nobody is flooded with them.
    let mut results = Vec::new();
    for _ in 0..8 {
        let address = email("ann@example.com");
        let client = client("192.0.2.2");
        results.push(
            service
                .identity
                .request_password_reset(&address, &client)
                .await,
        );
    }
    assert!(results.iter().any(Result::is_err));
}

#[tokio::test]
async fn the_second_factor_takes_each_code_once() {
    let service = Service::start().await;
    service.user("ann@example.com").await;
    let login = service.log_in("ann@example.com", PASSWORD).await.unwrap();
    let current = &login.current;
    let identity = &service.identity;
    assert_eq!(
        refusal(identity.confirm_totp(current, "123456").await),
        Refusal::SecondFactorOff
    );
    let wrong = identity.offer_totp(current, &password("a wrong one")).await;
    assert_eq!(faults(wrong), ["password"]);
    let offer = identity.offer_totp(current, &password(PASSWORD)).await;
    let offer = offer.unwrap();
    assert!(offer.url.starts_with("otpauth://totp/") && offer.url.contains(&offer.secret));
    // What was only offered does not count.
    service.log_in("ann@example.com", PASSWORD).await.unwrap();
    assert_eq!(
        faults(identity.confirm_totp(current, "12345").await),
        ["code"]
    );
    let code = || service.totp_code(&offer.secret);
    let recovery = identity.confirm_totp(current, &code()).await.unwrap();
    assert_eq!(recovery.len(), 10);
    assert_eq!(
        refusal(identity.confirm_totp(current, &code()).await),
        Refusal::SecondFactorOn
    );

    let enter =
        async |code: Option<&str>| service.log_in_with("ann@example.com", PASSWORD, code).await;
    assert_eq!(refusal(enter(None).await), Refusal::SecondFactorRequired);
    // The code that switched it on is used up.
    assert_eq!(
        refusal(enter(Some(&code())).await),
        Refusal::WrongSecondFactor
    );
    service.clock.advance_ms(30_000);
    let now = code();
    enter(Some(&now)).await.unwrap();
    assert_eq!(refusal(enter(Some(&now)).await), Refusal::WrongSecondFactor);
    let spoken = recovery[0].to_uppercase().replace('-', " ");
    enter(Some(&spoken)).await.unwrap();
    assert_eq!(
        refusal(enter(Some(&recovery[0])).await),
        Refusal::WrongSecondFactor
    );
    // Codes are guessed as slowly as passwords, also by who leaves them away in between.
    for _ in 0..5 {
        let _ = enter(None).await;
        let _ = enter(Some("000000")).await;
    }
    seconds_to_wait(enter(Some(&recovery[1])).await);
    service.clock.advance_ms(DAY_MS);
    let word = password(PASSWORD);
    let renewed = identity
        .renew_recovery_codes(current, &word, &recovery[1])
        .await;
    let renewed = renewed.unwrap();
    let off = identity.disable_totp(current, &word, &recovery[2]).await;
    assert_eq!(faults(off), ["code"]);
    identity
        .disable_totp(current, &word, &renewed[0])
        .await
        .unwrap();
    enter(None).await.unwrap();
}

#[tokio::test]
async fn signing_up_tells_nothing_about_accounts() {
    let request = |address: &str| SignUpRequest {
        email: email(address),
        name: "Ann".into(),
        password: password("correct horse battery"),
    };
    for mode in [SignUp::Closed, SignUp::Invitation] {
        let service = Service::with(|config| config.sign_up = mode).await;
        let refused = service
            .identity
            .sign_up(request("ann@example.com"), &client("192.0.2.1"))
            .await;
        assert_eq!(refusal(refused), Refusal::SignUpClosed);
    }
    let service = Service::with(|config| {
        config.sign_up = SignUp::Open;
        config.mailer = Some(crate::harness::mailer());
    })
    .await;
    let sign_up = async |address: &str| {
        service
            .identity
            .sign_up(request(address), &client("192.0.2.1"))
            .await
            .unwrap();
        service.mails.next().await
    };
    let mail = sign_up("ann@example.com").await;
    assert_eq!(mail.subject, "Confirm your e-mail address");
    let (_, token) = mail.text.split_once("#token=").unwrap();
    let token = token.split_whitespace().next().unwrap();
    refusal(
        service
            .log_in("ann@example.com", "correct horse battery")
            .await,
    );
    service.identity.confirm_email(token).await.unwrap();
    assert_eq!(
        faults(service.identity.confirm_email(token).await),
        ["token"]
    );
    service
        .log_in("ann@example.com", "correct horse battery")
        .await
        .unwrap();
    let mail = sign_up("ann@example.com").await;
    assert_eq!(mail.subject, "You have an account already");
    assert_eq!(mail.to.as_str(), "ann@example.com");
}

#[tokio::test]
async fn names_and_passwords_are_checked_together() {
    let service = Service::start().await;
    let long = "n".repeat(10_000);
    for name in ["", "  ", "a\0b", "a\nb", "\u{202e}evil", &long] {
        let new = wagate_identity::NewUser {
            name: name.into(),
            password: Some(password("short")),
            ..new_user("ann@example.com")
        };
        let refused = service.identity.create_user(new, None).await;
        let fields = faults(refused);
        assert!(
            fields.contains(&"name".into()) && fields.contains(&"password".into()),
            "{name:?}"
        );
    }
    for (index, name) in ["Zoë 👩‍👩‍👧", "محمد", "山田 太郎", "O'Neil-Ó"]
        .into_iter()
        .enumerate()
    {
        let new = wagate_identity::NewUser {
            name: format!(" {name} "),
            ..new_user(&format!("u{index}@example.com"))
        };
        let made = service.identity.create_user(new, None).await.unwrap();
        let stored = service.identity.user(made.id).await.unwrap();
        assert_eq!(stored.name, name);
    }
}

#[tokio::test]
async fn an_address_has_one_account() {
    let service = Service::start().await;
    service.user("ann@example.com").await;
    let again = service
        .identity
        .create_user(new_user("ANN@example.com"), None)
        .await;
    assert_eq!(refusal(again), Refusal::EmailTaken);
}

#[tokio::test]
async fn a_ban_ends_logins_and_is_told() {
    let service = Service::start().await;
    let user = service.user("ann@example.com").await;
    let login = service.log_in("ann@example.com", PASSWORD).await.unwrap();
    let actor = Actor::operator();
    let identity = &service.identity;
    identity
        .ban_user(&user, Some("spam"), &actor)
        .await
        .unwrap();
    identity
        .ban_user(&user, Some("again"), &actor)
        .await
        .unwrap();
    assert!(!service.is_signed_in(&login).await);
    let banned = identity.user(user.id).await.unwrap();
    assert_eq!(banned.ban_reason.as_deref(), Some("spam"));
    identity.unban_user(&user, &actor).await.unwrap();
    assert!(!service.is_signed_in(&login).await);
    service.log_in("ann@example.com", PASSWORD).await.unwrap();
    let lines = service.operators_log().await;
    assert_eq!(
        lines,
        [
            AuditAction::UserCreated,
            AuditAction::UserBanned,
            AuditAction::UserUnbanned
        ]
    );
}

#[tokio::test]
async fn the_operator_finds_users_by_the_beginning_of_their_address() {
    let service = Service::start().await;
    let identity = &service.identity;
    for name in ["ann", "anna", "bob", "a%"] {
        service.user(&format!("{name}@example.com")).await;
    }
    let found = async |text: &str, limit| {
        let page = identity.users(None, text, limit).await.unwrap();
        (page.users.len(), page.has_more)
    };
    assert_eq!(found("", 3).await, (3, true));
    assert_eq!(found("", 4).await, (4, false));
    assert_eq!(found(" ANN", 9).await, (2, false));
    assert_eq!(found("%", 9).await, (0, false));
    assert_eq!(found("a%", 9).await, (1, false));
    assert!(!identity.has_super_admin().await.unwrap());
    let user = service.user("root@example.com").await;
    identity
        .set_platform_role(&user, PlatformRole::SuperAdmin, &Actor::operator())
        .await
        .unwrap();
    assert!(identity.has_super_admin().await.unwrap());
}
