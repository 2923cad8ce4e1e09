//! A session with phones beside it, for tests of groups.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Session, TestSandbox};

/// A session of the first phone, with a second and a third phone beside it.
pub(crate) struct World {
    pub(crate) sandbox: TestSandbox,
    pub(crate) session: Session,
    pub(crate) alice: String,
    pub(crate) bob: String,
    pub(crate) carol: String,
}

pub(crate) async fn world() -> World {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (sandbox.phones[0].clone(), sandbox.phones[1].clone());
    let carol = sandbox.simulated.phone().await;
    let session = sandbox.pair(&alice).await;
    World {
        sandbox,
        session,
        alice,
        bob,
        carol,
    }
}

impl World {
    pub(crate) async fn call(
        &self,
        method: Method,
        rest: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Value {
        let path = self.session.path(&format!("/groups{rest}"));
        let answer = self.sandbox.api.call(method, &path, body).await;
        answer.expect(status)
    }

    /// Has a simulated phone do something.
    pub(crate) async fn phone(&self, number: &str, rest: &str, body: Value) -> Value {
        let path = format!("/phones/{number}/groups{rest}");
        self.sandbox
            .simulated
            .call(Method::POST, &path, Some(&body))
            .await
    }

    /// A group as the simulated server has it.
    pub(crate) async fn on_whatsapp(&self, group: &str) -> Value {
        let path = format!("/groups/{group}");
        self.sandbox.simulated.call(Method::GET, &path, None).await
    }

    /// A group that the session makes with Bob.
    pub(crate) async fn made(&self) -> String {
        let body = json!({ "name": "Harbour", "participants": [self.bob] });
        let made = self.call(Method::POST, "", Some(&body), 201).await;
        made["groupJid"].as_str().unwrap().to_owned()
    }

    /// The stored members of a group: LIDs with roles.
    pub(crate) async fn members(&self, group: &str) -> Vec<(String, String)> {
        let rest = format!("/{group}/members");
        let page = self.call(Method::GET, &rest, None, 200).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut members: Vec<_> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| (text(&member["lid"]), text(&member["role"])))
            .collect();
        members.sort();
        members
    }

    pub(crate) async fn lid(&self, number: &str) -> String {
        let path = format!("/phones/{number}");
        let phone = self.sandbox.simulated.call(Method::GET, &path, None).await;
        phone["lid"].as_str().unwrap().to_owned()
    }

    /// Everything that was told of groups, without times.
    pub(crate) async fn told(&self) -> Vec<(String, Value)> {
        let events = self.sandbox.api.events_after(None).await;
        let about_groups = events.into_iter().filter_map(|mut event| {
            let kind = event["event"].as_str().unwrap().to_owned();
            kind.starts_with("group.").then(|| {
                let mut payload = event["payload"].take();
                payload.as_object_mut().unwrap().remove("timestamp");
                (kind, payload)
            })
        });
        about_groups.collect()
    }

    /// Waits for an event of groups.
    pub(crate) async fn wait_for(&self, is_wanted: impl Fn(&str, &Value) -> bool) -> Value {
        let search = async {
            loop {
                let told = self.told().await;
                let found = told.into_iter().find(|(kind, it)| is_wanted(kind, it));
                if let Some((_, payload)) = found {
                    return payload;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), search)
            .await
            .expect("the event comes in time")
    }

    /// Waits until everything is in that WhatsApp has sent so far: one more change by Bob, who
    /// is in the group, comes behind it.
    pub(crate) async fn settle(&self, group: &str, subject: &str) {
        let body = json!({ "subject": subject });
        self.phone(&self.bob, &format!("/{group}:subject"), body)
            .await;
        self.wait_for(|_, payload| payload["subject"] == subject)
            .await;
    }
}
