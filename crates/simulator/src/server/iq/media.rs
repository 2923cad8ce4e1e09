//! Where media is uploaded and downloaded (`w:m`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::router::Request;
use crate::server::api::Server;

impl Server {
    pub(super) fn iq_media(&self, request: &Request<'_>) -> Node {
        if request.child("media_conn").is_none() {
            return request.bad_request();
        }
        let auth: [u8; 24] = self.inner.with_rng(RngExt::random);
        let host = NodeBuilder::new("host")
            .attr("hostname", self.inner.media_host())
            .attr("type", "primary")
            .children([
                NodeBuilder::new("upload").build(),
                NodeBuilder::new("download").build(),
            ])
            .build();
        let media_conn = NodeBuilder::new("media_conn")
            .attr("auth", URL_SAFE_NO_PAD.encode(auth))
            .attr("ttl", 3_600_u32)
            .attr("auth_ttl", 21_600_u32)
            .attr("max_buckets", 12_u8)
            .attr("id", self.inner.stanza_id())
            .children([host])
            .build();
        request.result([media_conn])
    }
}
