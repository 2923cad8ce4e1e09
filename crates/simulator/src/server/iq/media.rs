//! Where media is uploaded and downloaded (`w:m`).

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::server::api::Server;

/// How long an upload token counts.
const AUTH_TTL_S: u32 = 21_600;

impl Server {
    pub(super) fn iq_media(&self, request: &Request<'_>) -> Node {
        if request.child("media_conn").is_none() {
            return request.bad_request();
        }
        let number = &request.session.account.number;
        let expires_at_s = self.inner.now_s() + i64::from(AUTH_TTL_S);
        let auth = self.inner.media_auth.issue(number, expires_at_s);
        let host = NodeBuilder::new("host")
            .attr("hostname", self.inner.media_host())
            .attr("type", "primary")
            .children([
                NodeBuilder::new("upload").build(),
                NodeBuilder::new("download").build(),
            ])
            .build();
        let media_conn = NodeBuilder::new("media_conn")
            .attr("auth", auth)
            .attr("ttl", 3_600_u32)
            .attr("auth_ttl", AUTH_TTL_S)
            .attr("max_buckets", 12_u8)
            .attr("id", self.inner.stanza_id())
            .children([host])
            .build();
        request.result([media_conn])
    }
}
