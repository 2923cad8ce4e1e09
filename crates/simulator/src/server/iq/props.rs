//! Switches of experiments (`abt`, and `w` of older clients): none is set.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::server::api::Server;

impl Server {
    pub(super) fn iq_props(request: &Request<'_>) -> Node {
        if request.child("props").is_none() {
            return request.bad_request();
        }
        let props = NodeBuilder::new("props")
            .attr("protocol", 1_u8)
            .attr("ab_key", "")
            .attr("hash", "simulator")
            .attr("refresh", 86_400_u32)
            .attr("refresh_id", 0_u8)
            .build();
        request.result([props])
    }

    /// Reports of spam get an id to refer to.
    pub(super) fn iq_spam(&self, request: &Request<'_>) -> Node {
        let id = self.inner.stanza_id();
        request.result([NodeBuilder::new("report_id").string_content(id).build()])
    }
}
