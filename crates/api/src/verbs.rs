//! Custom methods: `POST …/{id}:verb`.
//!
//! The router matches whole path segments, so it cannot match a parameter with a
//! fixed text behind it. This is the one place that knows: before routing, the verb
//! moves to the front as a segment of its own, `/sessions/x:start` becomes
//! `/:start/sessions/x`, and routes of the form `…/{id}:verb` or `…/noun:verb` are
//! registered accordingly. No path of the contract begins with `/:`, so the moved
//! paths collide with nothing, and from outside they cannot be reached.
//!
//! Only a literal colon counts: `%3A` is part of an id, and ids are decoded after
//! routing. A colon followed by anything but lower-case letters and hyphens is part
//! of an id too (`12345:6@s.whatsapp.net`).

use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;

/// What a moved verb begins with.
const MARK: &str = "/:";

/// The path under which the router knows a path of the contract.
pub(crate) fn internal_path(path: &str) -> String {
    match split_verb(path) {
        Some((resource, verb)) => format!("{MARK}{verb}{resource}"),
        None => path.to_owned(),
    }
}

fn split_verb(path: &str) -> Option<(&str, &str)> {
    let (resource, verb) = path.rsplit_once(':')?;
    let is_verb = !verb.is_empty() && verb.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let has_noun = !resource.ends_with('/') && !resource.is_empty();
    (is_verb && has_noun).then_some((resource, verb))
}

/// Moves the verb of a request, before routing.
pub(crate) fn move_verb(mut request: Request) -> Request {
    let path = request.uri().path();
    let moved = if path.starts_with(MARK) {
        // Nothing is registered there: the moved paths cannot be asked for directly.
        MARK.to_owned()
    } else if split_verb(path).is_some() {
        internal_path(path)
    } else {
        return request;
    };
    let path_and_query = match request.uri().query() {
        Some(query) => format!("{moved}?{query}"),
        None => moved,
    };
    let mut parts = request.uri().clone().into_parts();
    if let Ok(path_and_query) = PathAndQuery::try_from(path_and_query) {
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use proptest::prelude::*;

    use super::*;

    fn moved(uri: &str) -> String {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        move_verb(request).uri().to_string()
    }

    #[test]
    fn verbs_move_to_the_front() {
        for (uri, expected) in [
            ("/api/v1/sessions/x:start", "/:start/api/v1/sessions/x"),
            ("/s/x/groups:join?a=b:c", "/:join/s/x/groups?a=b:c"),
            ("/s/1@g.us:leave", "/:leave/s/1@g.us"),
            (
                "/s/1%40g.us/members:approve",
                "/:approve/s/1%40g.us/members",
            ),
            ("/s/x:rotate-secret", "/:rotate-secret/s/x"),
            ("/s/a:b:stop", "/:stop/s/a:b"),
        ] {
            assert_eq!(moved(uri), expected);
        }
    }

    #[test]
    fn other_colons_stay() {
        for uri in [
            "/s/x%3Astart",
            "/s/1:2@s.whatsapp.net",
            "/s/:start",
            "/s/x:",
            "/s/x:Start",
            "/s/x:start/y",
            "/s/x?y=z:start",
            "/",
        ] {
            assert_eq!(moved(uri), uri);
        }
    }

    #[test]
    fn moved_paths_cannot_be_asked_for() {
        assert_eq!(moved("/:start/api/v1/sessions/x"), "/:");
        assert_eq!(moved("/:start/api/v1/sessions/x?q=1"), "/:?q=1");
    }

    proptest! {
        #[test]
        fn only_a_verb_moves(
            path in "/[ -~]{0,40}",
            resource in "(http://[a-z]{1,3})?/[a-z:/%0-9@]{0,12}",
            verb in ":[a-z:-]{0,4}(\\?[:a-z/]{0,4})?",
        ) {
            crate::fuzzing::path(&path);
            crate::fuzzing::path(&format!("{resource}{verb}"));
        }
    }
}
