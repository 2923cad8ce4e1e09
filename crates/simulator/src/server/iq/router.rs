//! From a request's namespace to what answers it.

use wacore_binary::Node;

use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::session::Session;
use crate::server::stanza::{iq_error, iq_result, text_attr};

/// A request and who sent it.
pub(super) struct Request<'a> {
    pub(super) session: &'a Session,
    pub(super) iq: &'a Node,
    /// Whether it is a `get` or a `set`.
    pub(super) is_get: bool,
}

impl Request<'_> {
    pub(super) fn child(&self, tag: &str) -> Option<&Node> {
        self.iq.get_optional_child(tag)
    }

    pub(super) fn result(&self, children: impl IntoIterator<Item = Node>) -> Node {
        iq_result(self.iq, children)
    }

    pub(super) fn error(&self, code: u16, text: &'static str) -> Node {
        iq_error(self.iq, code, text)
    }

    pub(super) fn bad_request(&self) -> Node {
        self.error(400, "bad-request")
    }

    pub(super) fn not_found(&self) -> Node {
        self.error(404, "item-not-found")
    }
}

impl Server {
    pub(in crate::server) fn handle_iq(
        &self,
        session: &Session,
        iq: &Node,
    ) -> Result<(), JournalError> {
        let is_get = match text_attr(iq, "type").as_deref() {
            Some("get") => true,
            Some("set") => false,
            // Answers to the server's own pings.
            Some("result" | "error") => return Ok(()),
            _ => {
                let refusal = iq_error(iq, 400, "bad-request");
                self.push_node(&session.account, &session.link, &refusal);
                return Ok(());
            }
        };
        let request = Request {
            session,
            iq,
            is_get,
        };
        if let Some(answer) = self.answer(&request)? {
            self.push_node(&session.account, &session.link, &answer);
        }
        Ok(())
    }

    /// The answer; `None` when it has been sent already.
    fn answer(&self, request: &Request<'_>) -> Result<Option<Node>, JournalError> {
        if request.child("remove-companion-device").is_some() {
            return self.iq_remove_companion(request);
        }
        self.answer_namespace(request).map(Some)
    }

    fn answer_namespace(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let namespace = text_attr(request.iq, "xmlns").unwrap_or_default();
        match namespace.as_str() {
            "w:p" | "urn:xmpp:ping" => Ok(self.iq_ping(request)),
            "passive" => Ok(Self::iq_passive(request)),
            "encrypt" => self.iq_encrypt(request),
            "usync" => Ok(self.iq_usync(request)),
            "abt" | "w" => Ok(Self::iq_props(request)),
            "privacy" => self.iq_privacy(request),
            "disappearing_mode" => self.iq_disappearing_mode(request),
            "blocklist" => self.iq_blocklist(request),
            "status" => self.iq_status(request),
            "w:profile:picture" => self.iq_picture(request),
            "w:sync:app:state" => self.iq_app_state(request),
            "urn:xmpp:whatsapp:dirty" => Ok(Self::iq_dirty(request)),
            "w:m" => Ok(self.iq_media(request)),
            "md" => Ok(self.iq_linking(request)),
            "w:biz" | "w:biz:catalog" | "fb:thrift_iq" => Ok(Self::iq_business(request)),
            "w:mex" => self.iq_mex(request),
            "w:g2" => self.iq_groups(request),
            // Telemetry, notices and push registration are taken and forgotten; what they
            // hold is not kept, so there is nothing to get.
            "w:stats"
            | "tos"
            | "urn:xmpp:whatsapp:push"
            | "urn:xmpp:whatsapp:account"
            | "w:auth:token"
                if !request.is_get =>
            {
                Ok(request.result([]))
            }
            "spam" => Ok(self.iq_spam(request)),
            _ => {
                let first = request.iq.children().and_then(<[Node]>::first);
                tracing::info!(
                    iq.namespace = %namespace,
                    iq.child = first.map(|child| child.tag.as_ref()).unwrap_or_default(),
                    "answered an unknown request with feature-not-implemented"
                );
                Ok(request.error(501, "feature-not-implemented"))
            }
        }
    }
}
