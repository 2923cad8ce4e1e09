//! GraphQL (`w:mex`): every operation is answered with an error in GraphQL's own form.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::server::api::Server;
use crate::server::stanza::text_attr;

impl Server {
    pub(super) fn iq_mex(request: &Request<'_>) -> Node {
        let Some(query) = request.child("query") else {
            return request.bad_request();
        };
        if text_attr(query, "query_id").is_none() {
            return request.bad_request();
        }
        let errors = serde_json::json!({
            "data": null,
            "errors": [{
                "message": "the operation is not known to this server",
                "extensions": {
                    "error_code": 501,
                    "is_retryable": false,
                    "severity": "CRITICAL",
                },
            }],
        });
        let result = NodeBuilder::new("result")
            .bytes(errors.to_string().into_bytes())
            .build();
        request.result([result])
    }
}
