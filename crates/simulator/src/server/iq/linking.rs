//! Linked devices: logging out, and the primary's side of linking by code (`md`).

use wacore_binary::Node;

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::error::{LinkError, ServerError};
use crate::server::stanza::{child_bytes, jid_attr, text_attr};

impl Server {
    pub(super) fn iq_linking(&self, request: &Request<'_>) -> Node {
        match request.child("link_code_companion_reg") {
            Some(stage) if text_attr(stage, "stage").as_deref() == Some("primary_hello") => {
                self.primary_hello(request, stage)
            }
            _ => request.bad_request(),
        }
    }

    /// A companion may remove itself, the primary any companion.
    pub(super) fn iq_remove_companion(
        &self,
        request: &Request<'_>,
    ) -> Result<Option<Node>, JournalError> {
        let session = request.session;
        let device_id = request
            .child("remove-companion-device")
            .and_then(|removal| jid_attr(removal, "jid"))
            .map_or(session.device_id, |jid| jid.device);
        if request.is_get || device_id == 0 {
            return Ok(Some(request.bad_request()));
        }
        let is_itself = device_id == session.device_id;
        if session.device_id != 0 && !is_itself {
            return Ok(Some(request.error(403, "forbidden")));
        }
        let answer = request.result([]);
        if is_itself {
            // The answer goes first: removing the device closes its connection.
            self.push_node(&session.account, &session.link, &answer);
        }
        match self.remove_device(&session.account, device_id, None) {
            Ok(()) => Ok((!is_itself).then_some(answer)),
            Err(ServerError::Journal(error)) => Err(error),
            Err(_) => Ok((!is_itself).then(|| request.not_found())),
        }
    }

    fn primary_hello(&self, request: &Request<'_>, stage: &Node) -> Node {
        let (Some(wrapped), Some(identity), Some(pairing_ref)) = (
            child_bytes(stage, "link_code_pairing_wrapped_primary_ephemeral_pub"),
            child_bytes(stage, "primary_identity_pub"),
            child_bytes(stage, "link_code_pairing_ref"),
        ) else {
            return request.bad_request();
        };
        let pairing_ref = String::from_utf8_lossy(&pairing_ref);
        let number = &request.session.account.number;
        match self.send_primary_hello(number, &pairing_ref, wrapped, identity) {
            Ok(()) => request.result([]),
            Err(LinkError::UnknownReference) => request.not_found(),
            Err(_) => request.error(500, "internal-server-error"),
        }
    }
}
