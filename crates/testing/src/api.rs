//! A user of the public API; every answer is checked against the OpenAPI document.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::covered::note_event;
use crate::{Contract, Realtime};

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body, byte for byte.
    pub body: bytes::Bytes,
}

impl Answer {
    /// The body as JSON; null when it is empty.
    ///
    /// # Panics
    ///
    /// When it is neither.
    #[must_use]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The body as JSON, for an answer that must have a status.
    ///
    /// # Panics
    ///
    /// When the status is another.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }
}

/// A caller with a key.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    key: Option<String>,
    http: reqwest::Client,
    contract: Arc<OnceCell<Contract>>,
}

impl Api {
    /// A caller of the service at a base URL, with a key.
    #[must_use]
    pub fn new(base: &str, key: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            key: Some(key.to_owned()),
            http: crate::http_client(),
            contract: Arc::default(),
        }
    }

    /// The same service, called with another key or with none.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self {
            key: key.map(str::to_owned),
            ..self.clone()
        }
    }

    /// The service's base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The service's OpenAPI document.
    ///
    /// # Panics
    ///
    /// When the service does not serve it.
    pub async fn contract(&self) -> &Contract {
        self.contract
            .get_or_init(|| async {
                let url = format!("{}/api/v1/openapi.json", self.base);
                let answer = self
                    .http
                    .get(url)
                    .send()
                    .await
                    .expect("the document is served");
                Contract::new(answer.json().await.expect("the document is JSON"))
            })
            .await
    }

    /// Calls an operation, and checks the answer against the document.
    ///
    /// # Panics
    ///
    /// When the service does not answer, or answers what its document does not allow.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.try_call(method, path, body, &[])
            .await
            .expect("the service answers")
    }

    /// Like [`Api::call`], with headers; gives the error when the service is gone.
    ///
    /// # Errors
    ///
    /// When no answer comes.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Answer> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer {
            status,
            headers,
            body: response.bytes().await?,
        };
        let kind = answer
            .headers
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        self.contract()
            .await
            .check(&method, path, status.as_u16(), kind, &answer.body);
        Ok(answer)
    }

    /// `GET`, which must succeed.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.expect(200)
    }

    /// `POST`, whatever comes of it.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `POST` without a body, which must answer 200.
    pub async fn act(&self, path: &str) -> Value {
        self.call(Method::POST, path, None).await.expect(200)
    }

    /// Opens a realtime socket over the organization's events.
    pub async fn realtime(&self, ticket: &Value) -> Realtime {
        let answer = self
            .post("/api/v1/realtime/ticket", ticket)
            .await
            .expect(200);
        Realtime::open(answer["url"].as_str().expect("a ticket has a URL")).await
    }

    /// Makes a session that does not start by itself.
    pub async fn create_session(&self) -> Session {
        let body = json!({"label": "test"});
        let row = self.post("/api/v1/sessions", &body).await.expect(201);
        Session {
            api: self.clone(),
            id: row["id"].as_str().expect("a session has an id").to_owned(),
        }
    }

    /// The session of an id.
    #[must_use]
    pub fn session(&self, id: &str) -> Session {
        Session {
            api: self.clone(),
            id: id.to_owned(),
        }
    }

    /// Every event after an id, in order, from the log.
    pub async fn events_after(&self, after: Option<&str>) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let query = after
                .as_ref()
                .map(|id| format!("&after={id}"))
                .unwrap_or_default();
            let page = self.get(&format!("/api/v1/events?limit=200{query}")).await;
            let data = page["data"].as_array().cloned().unwrap_or_default();
            let Some(last) = data.last() else {
                return events;
            };
            after = last["id"].as_str().map(str::to_owned);
            data.iter().for_each(note_event);
            events.extend(data);
        }
    }
}

/// One session, as its owner sees it.
#[derive(Debug, Clone)]
pub struct Session {
    api: Api,
    /// The session's id.
    pub id: String,
}

impl Session {
    /// A path below the session.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/sessions/{}{rest}", self.id)
    }

    /// The session's row.
    pub async fn row(&self) -> Value {
        self.api.get(&self.path("")).await
    }

    /// Waits on a socket until the session has a status.
    pub async fn wait_for_status(&self, status: &str) -> Value {
        let ticket = json!({"scope": "session", "session": self.id, "events": ["session.status"]});
        let mut socket = self.api.realtime(&ticket).await;
        // The socket is open: a change from here on is a frame.
        let row = self.row().await;
        if row["status"] == status {
            return row;
        }
        socket
            .wait_for(|frame| frame["payload"]["status"] == status)
            .await;
        self.row().await
    }

    /// Starts pairing and gives the QR code.
    pub async fn qr(&self) -> String {
        let ticket = json!({"scope": "session", "session": self.id, "events": ["auth.qr"]});
        let mut socket = self.api.realtime(&ticket).await;
        let answer = self.api.call(Method::GET, &self.path("/qr"), None).await;
        if answer.status == StatusCode::OK {
            return answer.json()["code"].as_str().expect("a code").to_owned();
        }
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let event = socket.wait_for(|frame| frame["event"] == "auth.qr").await;
        event["payload"]["code"]
            .as_str()
            .expect("a code")
            .to_owned()
    }

    /// Sends a text and waits for WhatsApp's acknowledgement.
    pub async fn send_text(&self, to: &str, text: &str) -> Value {
        let body = json!({"type": "text", "to": to, "text": text});
        self.api
            .post(&self.path("/messages"), &body)
            .await
            .expect(200)
    }

    /// Sends a text with an idempotency key, whatever comes of it.
    ///
    /// # Errors
    ///
    /// When no answer comes.
    pub async fn send_once(&self, to: &str, text: &str, key: &str) -> reqwest::Result<Answer> {
        let body = json!({"type": "text", "to": to, "text": text});
        self.send_keyed(&body, key).await
    }

    /// Sends any message with an idempotency key, whatever comes of it.
    ///
    /// # Errors
    ///
    /// When no answer comes.
    pub async fn send_keyed(&self, body: &Value, key: &str) -> reqwest::Result<Answer> {
        let headers = [("Idempotency-Key", key)];
        self.api
            .try_call(Method::POST, &self.path("/messages"), Some(body), &headers)
            .await
    }

    /// The stored messages of a chat, newest first, one page.
    pub async fn messages(&self, chat: &str) -> Vec<Value> {
        let page = self
            .api
            .get(&self.path(&format!("/chats/{chat}/messages?limit=200")))
            .await;
        page["data"].as_array().cloned().unwrap_or_default()
    }
}
