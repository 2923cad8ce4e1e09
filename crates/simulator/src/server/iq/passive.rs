//! Becoming active: from here on a passive connection gets what waits for it (`passive`).

use wacore_binary::Node;

use super::router::Request;
use crate::server::api::Server;
use crate::server::link::Outgoing;

impl Server {
    pub(super) fn iq_passive(request: &Request<'_>) -> Node {
        let is_passive = if request.child("active").is_some() {
            false
        } else if request.child("passive").is_some() {
            true
        } else {
            return request.bad_request();
        };
        let session = request.session;
        let mut state = session.account.lock();
        if let Some(device) = state.devices.get_mut(&session.device_id) {
            let next_seq = device.queue.next_seq();
            if let Some(live) = device
                .live
                .as_mut()
                .filter(|live| live.link.id == session.link.id)
            {
                live.is_passive = is_passive;
                // What comes while the connection is passive is read from the queue afterwards.
                live.drain_from.get_or_insert(next_seq);
                live.link.push(Outgoing::Wake);
            }
        }
        request.result([])
    }
}
