//! GraphQL (`w:mex`): operations about groups are answered, every other one with an error in
//! GraphQL's own form.

use serde_json::{Value, json};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::groups::Fault;
use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::stanza::{content_bytes, text_attr};

impl Server {
    pub(super) fn iq_mex(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let Some(query) = request.child("query") else {
            return Ok(request.bad_request());
        };
        let Some(operation) = text_attr(query, "query_id") else {
            return Ok(request.bad_request());
        };
        let payload = content_bytes(query).unwrap_or_default();
        let answer = match self.mex_about_groups(request, &operation, &payload) {
            Some(Ok(data)) => json!({ "data": data }),
            Some(Err(Fault::Refused(code))) => refusal(code, "the operation is refused"),
            Some(Err(Fault::Journal(error))) => return Err(error),
            None => refusal(501, "the operation is not known to this server"),
        };
        let result = NodeBuilder::new("result")
            .bytes(answer.to_string().into_bytes())
            .build();
        Ok(request.result([result]))
    }
}

fn refusal(code: u16, message: &str) -> Value {
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
