//! Keep-alive (`w:p`, `urn:xmpp:ping`).

use wacore_binary::Node;

use super::router::Request;
use crate::server::api::Server;

impl Server {
    pub(super) fn iq_ping(&self, request: &Request<'_>) -> Node {
        let mut answer = request.result([]);
        // Clients set their clock by this (wacore keepalive).
        answer.attrs.insert("t", self.inner.now_s());
        answer
    }
}
