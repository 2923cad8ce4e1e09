//! Profile pictures (`w:profile:picture`; wacore `iq::contacts`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{JidExt as _, Node};

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::jids::Addressing;
use crate::server::record::namespace;
use crate::server::stanza::{content_bytes, jid_attr, number_attr};

/// Larger pictures are refused.
const MAX_PICTURE_LEN: usize = 2 * 1024 * 1024;

impl Server {
    pub(super) fn iq_picture(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        if request.is_get {
            self.get_picture(request)
        } else {
            self.set_picture(request)
        }
    }

    fn get_picture(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let asked = jid_attr(request.iq, "target")
            .or_else(|| jid_attr(request.iq, "to").filter(|to| !to.user.is_empty()));
        if let Some(group) = asked.as_ref().filter(|asked| asked.is_group()) {
            return self.get_group_picture(request, group);
        }
        let account = match &asked {
            Some(jid) => self.inner.directory.by_jid(jid),
            None => Some(request.session.account.clone()),
        };
        let Some(account) = account else {
            return Ok(request.not_found());
        };
        let (picture_id, is_hidden) = {
            let state = account.lock();
            let who = state.record.privacy.get("profile");
            (
                state.record.picture_id,
                who.is_some_and(|who| who == "none"),
            )
        };
        if is_hidden && account.number != request.session.account.number {
            return Ok(request.error(401, "not-authorized"));
        }
        self.show_picture(request, &account.lid, &account.number, picture_id)
    }

    /// The picture that lies under `key` in the journal, shown as that of `user`.
    pub(super) fn show_picture(
        &self,
        request: &Request<'_>,
        user: &str,
        key: &str,
        picture_id: Option<u64>,
    ) -> Result<Node, JournalError> {
        let Some(picture_id) = picture_id else {
            return Ok(request.not_found());
        };
        let known = request
            .child("picture")
            .and_then(|node| number_attr(node, "id"));
        if known == Some(picture_id) {
            // An empty picture says that the known one is still the one (wacore `iq::contacts`).
            return Ok(request.result([NodeBuilder::new("picture").build()]));
        }
        let Some(image) = self.inner.journal.get(namespace::PICTURE, key)? else {
            return Ok(request.not_found());
        };
        let hash = STANDARD.encode(Sha256::digest(&image));
        let (path, url) = self.picture_place(user, picture_id);
        let picture = NodeBuilder::new("picture")
            .attr("id", picture_id)
            .attr("type", "image")
            .attr("url", url)
            .attr("direct_path", path)
            .attr("hash", hash)
            .build();
        Ok(request.result([picture]))
    }

    /// The path and the URL of a picture.
    pub(super) fn picture_place(&self, user: &str, picture_id: u64) -> (String, String) {
        let path = format!("/sim/v1/pictures/{user}/{picture_id}");
        let url = format!("{}{path}", self.inner.base_url());
        (path, url)
    }

    fn set_picture(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        let account = &request.session.account;
        let target = jid_attr(request.iq, "target");
        if let Some(group) = target.as_ref().filter(|target| target.is_group()) {
            return self.set_group_picture(request, group);
        }
        if target
            .as_ref()
            .is_some_and(|target| Addressing::of(target).is_none())
        {
            return Ok(request.not_found());
        }
        let is_own = |target| {
            let owner = self.inner.directory.by_jid(target);
            owner.is_some_and(|owner| owner.number == account.number)
        };
        if !target.as_ref().is_none_or(is_own) {
            return Ok(request.error(403, "forbidden"));
        }
        let image = request.child("picture").and_then(content_bytes);
        if image.as_deref().is_some_and(is_too_large) {
            return Ok(request.error(406, "not-acceptable"));
        }
        let picture_id = image
            .as_ref()
            .map(|_| self.inner.config.clock.now_ms().unsigned_abs());
        match image {
            Some(image) => self
                .inner
                .journal
                .put(namespace::PICTURE, &*account.number, image)?,
            None => self
                .inner
                .journal
                .delete(namespace::PICTURE, &*account.number)?,
        }
        {
            let mut state = account.lock();
            state.record.picture_id = picture_id;
            self.save_account(&state)?;
        }
        let change = match picture_id {
            Some(id) => NodeBuilder::new("set")
                .attr("jid", account.jid(Addressing::Pn))
                .attr("id", id)
                .attr("author", account.jid(Addressing::Pn))
                .build(),
            None => NodeBuilder::new("delete")
                .attr("jid", account.jid(Addressing::Pn))
                .attr("author", account.jid(Addressing::Pn))
                .build(),
        };
        self.notify_own_devices(request, "picture", [change.clone()])?;
        self.notify_correspondents(account, "picture", &change)?;
        Ok(match picture_id {
            Some(id) => request.result([NodeBuilder::new("picture").attr("id", id).build()]),
            None => request.result([]),
        })
    }

    /// The image behind a picture's URL: the LID, or the id of a group, and the picture's id.
    pub(crate) fn picture(&self, user: &str, picture_id: u64) -> Option<bytes::Bytes> {
        if let Some(group) = self.inner.groups.get(user) {
            return self.picture_of_group(&group, picture_id);
        }
        let account = self
            .inner
            .directory
            .by_jid(&wacore_binary::Jid::lid(user))?;
        if account.lock().record.picture_id != Some(picture_id) {
            return None;
        }
        self.inner
            .journal
            .get(namespace::PICTURE, &*account.number)
            .ok()
            .flatten()
    }
}

/// Whether a picture is refused for its size.
pub(super) fn is_too_large(image: &[u8]) -> bool {
    image.len() > MAX_PICTURE_LEN
}
