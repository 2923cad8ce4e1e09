//! GraphQL (`w:mex`): persisted operations, known by their number.
//!
//! The numbers are those of wacore's `iq::mex_operations`, and older ones that clients still use.
//! What is not known is answered with an error in GraphQL's own form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wacore::iq::mex_operations::{
    create_newsletter, delete_newsletter, fetch_all_newsletters_metadata,
    fetch_new_chat_message_capping_info, fetch_newsletter, fetch_reachout_timelock,
    join_newsletter, leave_newsletter, update_newsletter, update_newsletter_user_setting,
};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt, Node};

use super::groups::Fault;
use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::newsletters::{Mute, NewsletterError, Updates};
use crate::server::stanza::{content_bytes, text_attr};

/// The number under which Baileys asks for a newsletter.
const EARLIER_FETCH_NEWSLETTER: &str = "6563316087068696";
/// The number under which Baileys makes a newsletter.
const EARLIER_CREATE_NEWSLETTER: &str = "8823471724422422";

/// Why an operation has no data.
enum Refusal {
    Code(u16),
    Journal(JournalError),
}

impl From<NewsletterError> for Refusal {
    fn from(error: NewsletterError) -> Self {
        match (error.code(), error) {
            (_, NewsletterError::Journal(error)) => Self::Journal(error),
            (code, _) => Self::Code(code.unwrap_or(500)),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(code) => Self::Code(code),
            Fault::Journal(error) => Self::Journal(error),
        }
    }
}

impl Server {
    pub(super) fn iq_mex(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let query = request.child("query");
        let Some((query, id)) =
            query.and_then(|query| Some((query, text_attr(query, "query_id")?)))
        else {
            return Ok(request.bad_request());
        };
        let payload = content_bytes(query).unwrap_or_default();
        let data = if let Some(answer) = self.mex_about_groups(request, &id, &payload) {
            answer.map_err(Refusal::from)
        } else {
            let body: Value = serde_json::from_slice(&payload).unwrap_or_default();
            self.mex_data(request, &id, &body["variables"])
        };
        let answer = match data {
            Ok(data) => json!({ "data": data }),
            Err(Refusal::Code(code)) => failed(code),
            Err(Refusal::Journal(error)) => return Err(error),
        };
        let result = NodeBuilder::new("result")
            .bytes(answer.to_string().into_bytes())
            .build();
        Ok(request.result([result]))
    }

    fn mex_data(
        &self,
        request: &Request<'_>,
        id: &str,
        variables: &Value,
    ) -> Result<Value, Refusal> {
        let account = &request.session.account;
        let number = &*account.number;
        match id {
            fetch_reachout_timelock::DOC_ID => Ok(json!({
                "xwa2_fetch_account_reachout_timelock": self.reachout_timelock(account),
            })),
            fetch_new_chat_message_capping_info::DOC_ID => Ok(json!({
                "xwa2_message_capping_info": self.message_capping(account),
            })),
            fetch_all_newsletters_metadata::DOC_ID => Ok(json!({
                "xwa2_newsletter_subscribed": self.followed_newsletters(number),
            })),
            fetch_newsletter::DOC_ID | EARLIER_FETCH_NEWSLETTER => {
                let jid = self.newsletter_asked_for(&variables["input"])?;
                Ok(json!({ "xwa2_newsletter": self.newsletter_graph(number, &jid)? }))
            }
            create_newsletter::DOC_ID | EARLIER_CREATE_NEWSLETTER => {
                let input = &variables["input"];
                let name = input["name"].as_str().unwrap_or_default();
                let description = input["description"].as_str().unwrap_or_default();
                let made = self.create_newsletter(number, name, description)?;
                let shown = self.newsletter_graph(number, &made.jid)?;
                Ok(json!({ "xwa2_newsletter_create": shown }))
            }
            join_newsletter::DOC_ID => {
                let jid = newsletter_jid(&variables["newsletter_id"])?;
                self.follow_newsletter(number, &jid)?;
                let shown = self.newsletter_graph(number, &jid)?;
                Ok(json!({ "xwa2_newsletter_join_v2": shown }))
            }
            leave_newsletter::DOC_ID => {
                let jid = newsletter_jid(&variables["newsletter_id"])?;
                self.unfollow_newsletter(number, &jid)?;
                Ok(json!({ "xwa2_newsletter_leave_v2": brief(&jid) }))
            }
            update_newsletter::DOC_ID => {
                let jid = newsletter_jid(&variables["newsletter_id"])?;
                let updates = &variables["updates"];
                let (name, description) =
                    (updates["name"].as_str(), updates["description"].as_str());
                // As whatsmeow and Baileys send it; official clients' own form is the same.
                let picture = match updates["picture"].as_str() {
                    None => None,
                    Some(text) => Some(STANDARD.decode(text).map_err(|_| Refusal::Code(400))?),
                };
                let updates = Updates {
                    name,
                    description,
                    picture,
                };
                self.update_newsletter(account, &jid, updates)?;
                let shown = self.newsletter_graph(number, &jid)?;
                Ok(json!({ "xwa2_newsletter_update": shown }))
            }
            delete_newsletter::DOC_ID => {
                let jid = newsletter_jid(&variables["newsletter_id"])?;
                self.delete_newsletter(account, &jid)?;
                Ok(json!({ "xwa2_newsletter_delete_v2": {
                    "id": jid.to_string(), "state": { "type": "DELETED" },
                } }))
            }
            update_newsletter_user_setting::DOC_ID => {
                let input = &variables["input"];
                let jid = newsletter_jid(&input["newsletter_id"])?;
                let mute = match input["type"].as_str() {
                    Some("MUTE_FOLLOWER_ACTIVITY") => Mute::Follower,
                    Some("MUTE_ADMIN_ACTIVITY") => Mute::Admin,
                    _ => return Err(Refusal::Code(400)),
                };
                let is_on = match input["value"].as_str() {
                    Some("ON") => true,
                    Some("OFF") => false,
                    _ => return Err(Refusal::Code(400)),
                };
                self.mute_newsletter(account, &jid, mute, is_on)?;
                Ok(json!({ "xwa2_newsletter_update_user_setting": brief(&jid) }))
            }
            _ => {
                tracing::info!(query.id = %id, "refused an unknown GraphQL operation");
                Err(Refusal::Code(501))
            }
        }
    }

    fn newsletter_asked_for(&self, input: &Value) -> Result<Jid, Refusal> {
        if input["type"].as_str() == Some("INVITE") {
            let invite = input["key"].as_str().unwrap_or_default();
            return Ok(self.newsletter_by_invite(invite)?);
        }
        newsletter_jid(&input["key"])
    }
}

fn newsletter_jid(value: &Value) -> Result<Jid, Refusal> {
    let jid = value.as_str().and_then(|text| text.parse::<Jid>().ok());
    jid.filter(JidExt::is_newsletter).ok_or(Refusal::Code(400))
}

fn brief(jid: &Jid) -> Value {
    json!({ "id": jid.to_string(), "state": { "type": "ACTIVE" } })
}

fn failed(code: u16) -> Value {
    let message = match code {
        400 => "the variables do not fit the operation",
        403 => "the account may not do this",
        404 => "there is no such thing",
        429 => "there are too many already",
        501 => "the operation is not known to this server",
        _ => "the operation is refused",
    };
    json!({
        "data": null,
        "errors": [{
            "message": message,
            "extensions": {
                "error_code": code,
                "is_retryable": false,
                "severity": "CRITICAL",
            },
        }],
    })
}
