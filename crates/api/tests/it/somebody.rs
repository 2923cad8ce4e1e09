//! People with accounts, signed in, and what they ask with.

use http::Method;
use serde_json::Value;
use wagate_identity::{Client, NewUser};
use wagate_model::{Actor, LoginId, OrganizationId, PlatformRole, Role, User};

use crate::harness::{Reply, Service};

/// Headers of a request.
pub(crate) type Headers = Vec<(&'static str, Vec<u8>)>;

/// The headers that show a key or a token.
pub(crate) fn bearer(credential: &str) -> Headers {
    vec![("authorization", format!("Bearer {credential}").into_bytes())]
}

/// The headers of a browser that is signed in.
pub(crate) fn cookie(secret: &str) -> Headers {
    vec![("cookie", format!("wagate_login={secret}").into_bytes())]
}

/// Somebody who is signed in with two browsers.
#[derive(Debug, Clone)]
pub(crate) struct Somebody {
    pub(crate) user: User,
    /// What one browser shows.
    pub(crate) secret: String,
    /// What that browser's pages ask the API with.
    pub(crate) token: String,
    /// The other browser's login.
    pub(crate) other_login: LoginId,
}

impl Service {
    /// Makes an account.
    pub(crate) async fn user(
        &self,
        name: &str,
        membership: Option<(OrganizationId, Role)>,
        platform_role: PlatformRole,
    ) -> User {
        let new = NewUser {
            email: format!("{name}@people.example").parse().unwrap(),
            name: name.to_owned(),
            password: None,
            platform_role,
            is_email_confirmed: true,
            membership,
        };
        self.identity
            .create_user(new, Some(&Actor::operator()))
            .await
            .unwrap()
    }

    /// Signs a user in with one more browser; gives what it shows.
    pub(crate) async fn sign_in(&self, user: &User) -> (String, LoginId) {
        let (secret, id, _) = self.sign_in_for_token(user).await;
        (secret, id)
    }

    pub(crate) async fn sign_in_for_token(&self, user: &User) -> (String, LoginId, String) {
        let client = Client {
            address: None,
            user_agent: Some(format!("browser of {}", user.name)),
        };
        let login = self.identity.begin_login(user, &client).await.unwrap();
        let record = &login.current.record;
        let minted = self.identity.mint_token(record).await.unwrap();
        (login.secret.reveal().to_owned(), record.id, minted.token)
    }

    /// Signs a user in with two browsers.
    pub(crate) async fn browsing(&self, user: User) -> Somebody {
        let (secret, _, token) = self.sign_in_for_token(&user).await;
        let (_, other_login) = self.sign_in(&user).await;
        Somebody {
            user,
            secret,
            token,
            other_login,
        }
    }

    /// Asks as somebody, with a body where there is one.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &Headers,
        body: Option<&Value>,
    ) -> Reply {
        let mut request = http::Request::builder().method(method).uri(path);
        request = request.header("host", "api.example");
        for (name, value) in headers {
            request = request.header(*name, value.as_slice());
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                axum::body::Body::from(body.to_string())
            }
            None => axum::body::Body::empty(),
        };
        self.request(request.body(body).unwrap()).await
    }

    /// What a request has made.
    pub(crate) async fn made(&self, path: &str, headers: &Headers, body: Value) -> Value {
        self.ask(Method::POST, path, headers, Some(&body))
            .await
            .ok(201)
    }
}
