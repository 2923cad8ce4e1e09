//! The simulator's control API, as tests use it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::PATIENCE;

/// A message in a simulated phone's log.
#[derive(Debug, Clone)]
pub struct PhoneMessage(pub Value);

impl PhoneMessage {
    /// The message's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    /// The message's text.
    #[must_use]
    pub fn body(&self) -> &str {
        self.0["body"].as_str().unwrap_or_default()
    }
}

/// A running simulator.
#[derive(Debug, Clone)]
pub struct Simulated {
    base: String,
    http: reqwest::Client,
}

impl Simulated {
    /// The simulator at a base URL.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            http: crate::http_client(),
        }
    }

    /// The simulator's base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Calls the control API; any answer but a success fails the test.
    ///
    /// # Panics
    ///
    /// When the answer is not a success.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self
            .http
            .request(method.clone(), format!("{}/sim/v1{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("the simulator answers");
        let status = response.status();
        let text = response
            .text()
            .await
            .expect("the simulator's answer has a body");
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).expect("JSON")
        }
    }

    /// Makes a phone and gives its number.
    pub async fn phone(&self) -> String {
        let phone = self.call(Method::POST, "/phones", Some(&json!({}))).await;
        phone["number"]
            .as_str()
            .expect("a phone has a number")
            .to_owned()
    }

    /// Scans a QR code with a phone; returns when the device is linked.
    pub async fn scan(&self, number: &str, qr: &str) -> Value {
        self.call(
            Method::POST,
            &format!("/phones/{number}:scan"),
            Some(&json!({"qr": qr})),
        )
        .await
    }

    /// Enters a pairing code on a phone; returns when the device is linked.
    pub async fn enter_code(&self, number: &str, code: &str) -> Value {
        self.call(
            Method::POST,
            &format!("/phones/{number}:enter-code"),
            Some(&json!({"code": code})),
        )
        .await
    }

    /// Unlinks the newest companion of a phone.
    pub async fn unlink_last(&self, number: &str) {
        let phone = self
            .call(Method::GET, &format!("/phones/{number}"), None)
            .await;
        let device = phone["devices"]
            .as_array()
            .and_then(|devices| devices.last())
            .expect("a device");
        let body = json!({"deviceId": device["id"]});
        self.call(
            Method::POST,
            &format!("/phones/{number}:unlink"),
            Some(&body),
        )
        .await;
    }

    /// Sends a text from a phone and gives its id.
    pub async fn send_text(&self, number: &str, to: &str, text: &str) -> String {
        let body = json!({"type": "text", "to": to, "text": text});
        let sent = self
            .call(
                Method::POST,
                &format!("/phones/{number}/messages"),
                Some(&body),
            )
            .await;
        sent["id"]
            .as_str()
            .expect("a sent message has an id")
            .to_owned()
    }

    /// One page of a phone's log, oldest first, waiting for something new.
    async fn page(&self, number: &str, after: Option<&str>, wait_ms: u64) -> Vec<PhoneMessage> {
        let after = after.map(|id| format!("&afterId={id}")).unwrap_or_default();
        let path = format!("/phones/{number}/messages?limit=200&waitMs={wait_ms}{after}");
        let page = self.call(Method::GET, &path, None).await;
        let data = page["data"].as_array().cloned().unwrap_or_default();
        data.into_iter().map(PhoneMessage).collect()
    }

    /// A phone's whole log, oldest first.
    pub async fn messages(&self, number: &str) -> Vec<PhoneMessage> {
        let mut all: Vec<PhoneMessage> = Vec::new();
        loop {
            let after = all.last().map(|message| message.id().to_owned());
            let page = self.page(number, after.as_deref(), 0).await;
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// Waits until a phone's log holds a message that a test accepts.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    pub async fn wait_for(
        &self,
        number: &str,
        is_wanted: impl Fn(&PhoneMessage) -> bool,
    ) -> PhoneMessage {
        let search = async {
            loop {
                let all = self.messages(number).await;
                if let Some(found) = all.iter().find(|message| is_wanted(message)) {
                    return found.clone();
                }
                // What comes ends the wait at once; what becomes of a message that is there is
                // seen with the next look.
                let last = all.last().map(PhoneMessage::id);
                self.page(number, last, 500).await;
            }
        };
        tokio::time::timeout(PATIENCE, search)
            .await
            .expect("the phone gets the message in time")
    }

    /// Sends the read receipt of a message that a phone received.
    pub async fn read(&self, number: &str, id: &str) {
        self.call(
            Method::POST,
            &format!("/phones/{number}/messages/{id}:read"),
            None,
        )
        .await;
    }

    /// What was accepted, delivered and acknowledged, per pair of numbers, with ids.
    pub async fn accounting(&self) -> Vec<Value> {
        let table = self.call(Method::GET, "/accounting?ids=true", None).await;
        table["pairs"].as_array().cloned().unwrap_or_default()
    }

    /// The file of a message in a phone's log, as the phone reads it.
    ///
    /// # Panics
    ///
    /// When the phone cannot read it.
    pub async fn file(&self, number: &str, id: &str) -> Vec<u8> {
        let path = format!("/sim/v1/phones/{number}/messages/{id}/media");
        let request = self.http.get(format!("{}{path}", self.base));
        let answer = request.send().await.expect("the simulator answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let bytes = answer.bytes().await.expect("the file comes to its end");
        bytes.to_vec()
    }

    /// Gives a phone a made-up past, which devices that are linked from now on are sent.
    pub async fn past(&self, number: &str, past: &Value) {
        let path = format!("/phones/{number}/history");
        self.call(Method::POST, &path, Some(past)).await;
    }

    /// Waits until a fault has struck.
    ///
    /// # Panics
    ///
    /// When it does not strike in time.
    pub async fn struck(&self, fault: &str) {
        let search = async {
            loop {
                let faults = self.call(Method::GET, "/faults", None).await;
                let faults = faults["data"].as_array().cloned().unwrap_or_default();
                let found = faults.iter().find(|known| known["id"] == fault);
                // One that has struck as often as it may is gone.
                if found.is_none_or(|fault| fault["struck"] != 0) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, search)
            .await
            .expect("the fault strikes in time");
    }

    /// Has the simulator behave again; what it holds back at the media host goes on.
    pub async fn end_fault(&self, fault: &str) {
        self.call(Method::DELETE, &format!("/faults/{fault}"), None)
            .await;
    }

    /// Makes the simulator misbehave, and gives the fault's id.
    pub async fn fault(&self, fault: &Value) -> String {
        let made = self.call(Method::POST, "/faults", Some(fault)).await;
        made["id"].as_str().expect("a fault has an id").to_owned()
    }
}
