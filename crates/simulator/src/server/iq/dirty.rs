//! Clients saying that they have caught up (`urn:xmpp:whatsapp:dirty`).

use wacore_binary::Node;

use super::router::Request;
use crate::server::api::Server;

impl Server {
    /// Nothing is marked dirty here: changes reach every device by its queue.
    pub(super) fn iq_dirty(request: &Request<'_>) -> Node {
        if request.child("clean").is_some() {
            request.result([])
        } else {
            request.bad_request()
        }
    }
}
