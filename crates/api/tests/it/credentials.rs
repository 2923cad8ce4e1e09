//! Every operation, against credentials that are none, or none any more.

use http::Method;

use crate::harness::Reply;
use crate::operations::{Need, Operation, guarded};
use crate::world::{Headers, World, bearer, cookie};

/// What a browser would show that is signed in at another installation.
const FOREIGN_COOKIE: &str = "Zm9yZWlnbiBmb3JlaWduIGZvcmVpZ24gZm9yZWlnbiE";

fn header(name: &'static str, value: impl AsRef<[u8]>) -> Headers {
    vec![(name, value.as_ref().to_vec())]
}

/// A kind of credential that nobody may come in by.
struct Kind {
    what: &'static str,
    shown: fn(&World) -> Headers,
}

const fn kind(what: &'static str, shown: fn(&World) -> Headers) -> Kind {
    Kind { what, shown }
}

/// Kinds that are none in any operation.
const KINDS: &[Kind] = &[
    kind("nothing", |_| Vec::new()),
    kind("an empty token", |_| header("authorization", "Bearer ")),
    kind("no token", |_| header("authorization", "Bearer")),
    kind("an empty header", |_| header("authorization", "")),
    kind("another scheme", |_| header("authorization", "Basic dTpw")),
    kind("nonsense", |_| bearer("nonsense")),
    kind("the operator's name", |_| bearer("operator")),
    kind("an unknown key", |_| {
        bearer(&format!("wa_{}", "A".repeat(43)))
    }),
    kind("a short key", |_| bearer("wa_")),
    kind("garbage in a key", |_| bearer("wa_' OR 1=1 --")),
    kind("no ASCII", |_| header("authorization", b"Bearer \xff\xfe")),
    kind("much", |_| bearer(&"a".repeat(9_000))),
    kind("much of a key", |_| {
        bearer(&format!("wa_{}", "a".repeat(9_000)))
    }),
    kind("the look of a token", |_| {
        bearer("eyJhbGciOiJub25lIn0.e30.")
    }),
    kind("an empty own header", |_| header("x-api-key", "")),
    kind("a short key in its header", |_| header("x-api-key", "wa_")),
    kind("no ASCII in the key's header", |_| {
        header("x-api-key", b"wa_\xff")
    }),
    kind("a key with something behind", |world| {
        bearer(&format!("{}A", world.own.key.0))
    }),
    kind("a key without its end", |world| {
        bearer(&world.own.key.0[..world.own.key.0.len() - 1])
    }),
    kind("a key's id", |world| bearer(&world.own.key.1.to_string())),
    kind("a key in the query's manner", |world| {
        header("cookie", &world.own.key.0)
    }),
    kind("an expired key", |world| bearer(&world.past.expired_key)),
    kind("a revoked key", |world| bearer(&world.past.revoked_key)),
    kind("a revoked key in its header", |world| {
        header("x-api-key", &world.past.revoked_key)
    }),
    kind("a key of an organization that is gone", |world| {
        bearer(&world.past.orphaned_key)
    }),
    kind("a cookie's secret as a token", |world| {
        bearer(&world.own.owner.secret)
    }),
    kind("an expired token", |world| {
        bearer(&world.past.expired_token)
    }),
    kind("an ended login's token", |world| {
        bearer(&world.past.ended_token)
    }),
    kind("a banned person's token", |world| {
        bearer(&world.past.banned_token)
    }),
    kind("a token in the key's header without its end", |world| {
        let token = &world.own.owner.token;
        header("x-api-key", &token[..token.len() - 1])
    }),
    kind("a token as a cookie", |world| {
        cookie(&world.own.owner.token)
    }),
    kind("an unknown cookie", |_| cookie(FOREIGN_COOKIE)),
    kind("an empty cookie", |_| cookie("")),
    kind("no ASCII in a cookie", |_| {
        header("cookie", b"wagate_login=\xff")
    }),
    kind("much of a cookie", |_| cookie(&"a".repeat(9_000))),
    kind("an expired login", |world| {
        cookie(&world.past.expired_cookie)
    }),
    kind("an ended login", |world| cookie(&world.past.ended_cookie)),
    kind("a banned person's login", |world| {
        cookie(&world.past.banned_cookie)
    }),
    kind("a login's id", |world| {
        cookie(&world.own.owner.other_login.to_string())
    }),
    kind("the cookie of TLS without TLS", |world| {
        header(
            "cookie",
            format!("__Host-wagate_login={}", world.own.owner.secret),
        )
    }),
    kind("a cookie that a proxy took for TLS", |world| {
        let mut headers = cookie(&world.own.owner.secret);
        headers.push(("x-forwarded-proto", b"https".to_vec()));
        headers
    }),
];

/// Kinds that are none in some operations, though they are good in others.
fn misplaced(operation: &Operation, world: &World) -> Vec<(&'static str, Headers)> {
    let (key, owner) = (&world.own.key.0, &world.own.owner);
    let mut kinds = Vec::new();
    if !operation.takes_cookie {
        // Another site's page can have a browser show it.
        kinds.push(("a browser's login", cookie(&owner.secret)));
    } else if operation.need == Need::Login {
        kinds.push(("a key", bearer(key)));
        kinds.push(("a token", bearer(&owner.token)));
    } else {
        // What a request says of itself first counts.
        let mut both = bearer("nonsense");
        both.extend(cookie(&owner.secret));
        kinds.push(("nonsense beside a good login", both));
    }
    kinds
}

/// Whether a reply has the browser forget its cookie.
fn clears_cookie(reply: &Reply) -> bool {
    let cookies = reply.headers.get_all("set-cookie").iter();
    let mut cookies = cookies.map(|cookie| cookie.to_str().unwrap());
    cookies.any(|text| text.contains("wagate_login=; ") && text.contains("Max-Age=0"))
}

fn check(operation: &Operation, what: &str, shown: &Headers, reply: &Reply) {
    let context = format!("{} with {what}", operation.id);
    assert_eq!(reply.status, 401, "{context}");
    let error = reply.error(401, "unauthorized");
    assert!(error.get("details").is_none(), "{context}: {error}");
    assert_eq!(reply.headers["www-authenticate"], "Bearer", "{context}");
    let names: Vec<_> = reply.headers.keys().map(http::HeaderName::as_str).collect();
    // A cookie that is read and is none is of no use any more.
    let is_stale = operation.takes_cookie
        && shown.iter().any(|(name, value)| {
            *name == "cookie" && value.starts_with(b"wagate_login=") && value.is_ascii()
        })
        && shown.len() == 1;
    assert_eq!(clears_cookie(reply), is_stale, "{context}: {names:?}");
}

#[tokio::test]
async fn nobody_comes_in_without_a_good_credential() {
    let world = World::new().await;
    let mut count = 0;
    for operation in guarded() {
        let general = KINDS.iter().map(|kind| (kind.what, (kind.shown)(&world)));
        let forged = world
            .forged
            .iter()
            .map(|(what, token)| (*what, bearer(token)));
        let misplaced = misplaced(&operation, &world);
        for (what, shown) in general.chain(forged).chain(misplaced) {
            for path in [operation.within(&world.own), operation.nowhere()] {
                let reply = operation.ask(&world.service, &path, &shown).await;
                check(&operation, what, &shown, &reply);
                count += 1;
            }
        }
    }
    assert!(count > 4_000, "{count}");
    assert!(world.service.gateway.asked().is_empty());
}

#[tokio::test]
async fn pages_of_other_sites_use_nobodys_login() {
    let world = World::new().await;
    let with_cookie = guarded().filter(|operation| operation.takes_cookie);
    for operation in with_cookie.filter(|operation| operation.method != Method::GET) {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://elsewhere.example"),
            ("origin", "null"),
        ] {
            let mut headers = cookie(&world.own.owner.secret);
            headers.extend([(name, value.into()), ("host", b"api.example".to_vec())]);
            let path = operation.within(&world.own);
            let reply = operation.ask(&world.service, &path, &headers).await;
            assert_eq!(reply.status, 403, "{} {name}: {value}", operation.id);
            reply.error(403, "forbidden");
        }
    }
}
