//! Groups (`w:g2`): nobody is in any.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{JidExt, Node};

use super::router::Request;
use crate::server::api::Server;
use crate::server::stanza::jid_attr;

impl Server {
    pub(super) fn iq_groups(request: &Request<'_>) -> Node {
        if request.is_get && request.child("participating").is_some() {
            return request.result([NodeBuilder::new("groups").build()]);
        }
        let is_for_one =
            jid_attr(request.iq, "to").is_some_and(|to| to.is_group() && !to.user.is_empty());
        if is_for_one {
            request.not_found()
        } else {
            request.error(501, "feature-not-implemented")
        }
    }
}
