//! Posts of newsletters (`newsletter`): pages of them, and live news.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt, Node};

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::newsletters::{NewsletterError, PostQuery, messages_node};
use crate::server::stanza::{jid_attr, number_attr, text_attr};

impl Server {
    pub(super) fn iq_newsletter(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        match self.newsletter_answer(request) {
            Ok(answer) => Ok(answer),
            Err(NewsletterError::Journal(error)) => Err(error),
            Err(NewsletterError::Forbidden) => Ok(request.error(403, "forbidden")),
            Err(_) => Ok(request.not_found()),
        }
    }

    fn newsletter_answer(&self, request: &Request<'_>) -> Result<Node, NewsletterError> {
        if !request.is_get {
            let Some(_) = request.child("live_updates") else {
                return Ok(request.bad_request());
            };
            let Some(jid) = newsletter_of(self, request, None) else {
                return Ok(request.not_found());
            };
            let seconds = self.watch_newsletter(request.session, &jid)?;
            let updates = NodeBuilder::new("live_updates").attr("duration", seconds);
            return Ok(request.result([updates.build()]));
        }
        let asked = request
            .child("messages")
            .or_else(|| request.child("message_updates"));
        let Some(asked) = asked else {
            return Ok(request.bad_request());
        };
        let Some(jid) = newsletter_of(self, request, Some(asked)) else {
            return Ok(request.not_found());
        };
        let query = PostQuery {
            count: number_attr(asked, "count"),
            before: number_attr(asked, "before"),
            after: number_attr(asked, "after"),
        };
        let viewer = &request.session.account.number;
        let posts = self.newsletter_page(viewer, &jid, query)?;
        let messages = messages_node(&jid, self.inner.now_s(), posts);
        if asked.tag == "messages" {
            return Ok(request.result([messages]));
        }
        let updates = NodeBuilder::new("message_updates").children([messages]);
        Ok(request.result([updates.build()]))
    }
}

/// The newsletter that a request is about: whom it is to, or what it names in itself.
fn newsletter_of(server: &Server, request: &Request<'_>, asked: Option<&Node>) -> Option<Jid> {
    let to = jid_attr(request.iq, "to").filter(|to| to.is_newsletter() && !to.user.is_empty());
    if to.is_some() {
        return to;
    }
    let asked = asked?;
    if text_attr(asked, "type").as_deref() == Some("invite") {
        let invite = text_attr(asked, "key")?;
        return server.newsletter_by_invite(&invite).ok();
    }
    jid_attr(asked, "jid").filter(JidExt::is_newsletter)
}
