//! A person with a browser.

use reqwest::Method;
use reqwest::header::SET_COOKIE;
use serde_json::{Value, json};

use crate::{Answer, Api};

/// A password that nobody guesses.
const PASSWORD: &str = "correct horse battery";

/// A person who is signed in with a browser; every answer is checked against the document.
#[derive(Debug, Clone)]
pub struct Person {
    api: Api,
    cookie: String,
}

impl Person {
    /// Signs somebody in.
    ///
    /// # Panics
    ///
    /// When that is refused.
    pub async fn log_in(api: &Api, email: &str, password: &str) -> Self {
        let api = api.with_key(None);
        let body = json!({ "email": email, "password": password });
        let answer = api.post("/api/auth/login", &body).await;
        answer.expect(200);
        let cookie = answer.headers[SET_COOKIE].to_str().expect("a text");
        let (cookie, _) = cookie.split_once(';').expect("attributes");
        Self {
            cookie: cookie.to_owned(),
            api,
        }
    }

    /// Makes an account where anybody may, and signs in.
    ///
    /// # Panics
    ///
    /// When that is refused.
    pub async fn sign_up(api: &Api, email: &str) -> Self {
        let body = json!({ "email": email, "name": "Ann", "password": PASSWORD });
        let answer = api.with_key(None).post("/api/auth/sign-up", &body).await;
        answer.expect(202);
        Self::log_in(api, email, PASSWORD).await
    }

    /// Asks with the browser's cookie.
    ///
    /// # Panics
    ///
    /// When the service does not answer, or answers what its document does not allow.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let headers = [("cookie", self.cookie.as_str())];
        let answer = self.api.try_call(method, path, body, &headers).await;
        answer.expect("the service answers")
    }

    /// `POST` with the browser's cookie, whatever comes of it.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `GET` with the browser's cookie, which must succeed.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.expect(200)
    }

    /// The person's id.
    ///
    /// # Panics
    ///
    /// When nobody is signed in.
    pub async fn id(&self) -> String {
        let login = self.get("/api/auth/session").await;
        let id = login["user"]["id"].as_str();
        id.expect("a user has an id").to_owned()
    }

    /// Founds an organization, makes it the active one, and gives its id.
    ///
    /// # Panics
    ///
    /// When that is refused.
    pub async fn found(&self, name: &str) -> String {
        let body = json!({ "name": name });
        let made = self.post("/api/auth/organizations", &body).await;
        let made = made.expect(201);
        let body = json!({ "organizationId": made["id"] });
        let path = "/api/auth/session:switch-organization";
        self.post(path, &body).await.expect(200);
        let id = made["id"].as_str();
        id.expect("an organization has an id").to_owned()
    }

    /// Joins an organization by an invitation of its owner, and makes it the active one.
    ///
    /// # Panics
    ///
    /// When that is refused.
    pub async fn join(&self, owner: &Self, organization: &str, email: &str, role: &str) {
        let path = format!("/api/auth/organizations/{organization}/invitations");
        let body = json!({ "email": email, "role": role });
        let invitation = owner.post(&path, &body).await.expect(201);
        let link = invitation["link"].as_str().expect("no mail goes out");
        let (_, token) = link.split_once("#token=").expect("a secret");
        let body = json!({ "token": token });
        let accepted = self.post("/api/auth/invitations:accept", &body).await;
        accepted.expect(200);
        let body = json!({ "organizationId": organization });
        let path = "/api/auth/session:switch-organization";
        self.post(path, &body).await.expect(200);
    }

    /// The API, called with a login token made now.
    ///
    /// # Panics
    ///
    /// When nobody is signed in.
    pub async fn api(&self) -> Api {
        let answer = self.get("/api/auth/token").await;
        self.api
            .with_key(Some(answer["token"].as_str().expect("a token")))
    }
}
