//! What texts show of the pages that they link to.
//!
//! A page is looked at once for all messages of an organization in some minutes, so that a text
//! to a thousand people is no thousand requests. Whatever goes wrong, the text is sent without:
//! a page that is slow or broken must hold no message up for long.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use moka::future::Cache;
use tokio::time::{Instant, timeout};
use wagate_delivery::{Crowded, FetchLimits, Fetched, GuardedClient, Shares};
use wagate_media::{page_facts, thumbnail_of};
use wagate_model::{LinkPreview, OrganizationId, SendRequest, SendType};

use crate::decoding::{Decoders, Undone};

/// How long a text waits for its preview.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of it, how long for a place to look at the page.
const PLACE_PATIENCE: Duration = Duration::from_millis(500);
/// How long looking at a page takes, once there is a place: short of the whole, so that a page
/// that is slow is known as one.
const LOOK_PATIENCE: Duration = Duration::from_secs(4);
/// Pages that are looked at together.
const AT_ONCE: usize = 32;
/// Of them, an organization's.
const OF_AN_ORGANIZATION: usize = 8;
/// What is read of a page: its head comes first, and is never so long.
const PAGE_BYTES: usize = 1 << 20;
const PICTURE_BYTES: usize = 4 << 20;
/// From `http` to `https`, and to the name with or without `www`.
const REDIRECTS: usize = 3;
/// The longest side of the picture, as official clients make it.
const PICTURE_SIDE: u32 = 192;
/// How long what was found is kept.
const KEPT: Duration = Duration::from_mins(10);
/// What is kept takes so many bytes at most.
const KEPT_BYTES: u64 = 16 << 20;

/// What was found of a page; none where it shows nothing.
type Seen = Option<Arc<Page>>;

/// What was found while others took what looking takes: the page is not to blame, and so it is
/// not kept.
#[derive(Clone)]
struct Hurried(Seen);

struct Page {
    title: String,
    description: Option<String>,
    thumbnail: Option<String>,
}

/// Looks at pages that texts link to.
pub struct LinkPreviews {
    client: GuardedClient,
    seen: Cache<(OrganizationId, String), Seen>,
    lookers: Shares,
    decoders: Decoders,
}

impl std::fmt::Debug for LinkPreviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkPreviews").finish_non_exhaustive()
    }
}

impl LinkPreviews {
    /// Fetches pages by a client that goes where users may send it.
    #[must_use]
    pub fn new(client: GuardedClient, decoders: Decoders) -> Self {
        let seen = Cache::builder()
            .max_capacity(KEPT_BYTES)
            .weigher(|(_, url): &(OrganizationId, String), page: &Seen| {
                let page = page.as_ref().map_or(0, |page| page.bytes());
                u32::try_from(url.len() + page + 64).unwrap_or(u32::MAX)
            })
            .time_to_live(KEPT)
            .build();
        Self {
            client,
            seen,
            lookers: Shares::new(AT_ONCE, OF_AN_ORGANIZATION),
            decoders,
        }
    }

    /// What a text shows of a link.
    pub(crate) async fn of(
        &self,
        organization: OrganizationId,
        matched_text: &str,
    ) -> Option<LinkPreview> {
        let url = address(matched_text);
        let key = (organization, url.clone());
        let page = self.seen.try_get_with(key, self.look(organization, &url));
        let page = match timeout(PATIENCE, page).await.ok()? {
            Ok(page) => page,
            Err(hurried) => hurried.0.clone(),
        }?;
        Some(LinkPreview {
            matched_text: matched_text.to_owned(),
            title: page.title.clone(),
            description: page.description.clone(),
            thumbnail: page.thumbnail.clone(),
        })
    }

    /// Looks at a page; boxed, as it is part of every send.
    fn look<'a>(
        &'a self,
        organization: OrganizationId,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Seen, Hurried>> {
        Box::pin(async move {
            let place = self.lookers.take(organization, 1, PLACE_PATIENCE).await;
            let _place = place.map_err(|_| Hurried(None))?;
            let until = Instant::now() + LOOK_PATIENCE;
            let Some((mut page, picture)) = self.page(url, until).await else {
                return Ok(None);
            };
            let Some(picture) = picture else {
                return Ok(Some(Arc::new(page)));
            };
            let thumbnail = self.thumbnail(organization, &picture, until);
            match thumbnail.await {
                Ok(thumbnail) => {
                    page.thumbnail = thumbnail;
                    Ok(Some(Arc::new(page)))
                }
                Err(Crowded) => Err(Hurried(Some(Arc::new(page)))),
            }
        })
    }

    /// What a page says of itself, and where its picture is.
    async fn page(&self, url: &str, until: Instant) -> Option<(Page, Option<String>)> {
        let fetched = self.fetch(url, PAGE_BYTES, true, until).await?;
        let content_type = fetched.content_type.as_deref().unwrap_or_default();
        if !content_type.starts_with("text/html") && !content_type.starts_with("application/xhtml")
        {
            return None;
        }
        let facts = page_facts(&fetched.bytes, Some(content_type));
        let page = Page {
            title: facts.title?,
            description: facts.description,
            thumbnail: None,
        };
        let picture = facts.picture.as_deref();
        let picture = picture.and_then(|picture| fetched.url.join(picture).ok());
        Some((page, picture.map(String::from)))
    }

    /// A page's picture, made small; none where it cannot be had.
    async fn thumbnail(
        &self,
        organization: OrganizationId,
        url: &str,
        until: Instant,
    ) -> Result<Option<String>, Crowded> {
        let Some(fetched) = self.fetch(url, PICTURE_BYTES, false, until).await else {
            return Ok(None);
        };
        let patience = until.saturating_duration_since(Instant::now());
        let work = move || thumbnail_of(&fetched.bytes, PICTURE_SIDE);
        match self.decoders.run(organization, patience, work).await {
            Ok(made) => Ok(made.ok().map(|made| BASE64_STANDARD.encode(made))),
            Err(Undone::Crowded(crowded)) => Err(crowded),
            Err(Undone::Panicked(_)) => Ok(None),
        }
    }

    async fn fetch(&self, url: &str, bytes: usize, cuts: bool, until: Instant) -> Option<Fetched> {
        let limits = FetchLimits {
            bytes,
            cuts,
            total: until.saturating_duration_since(Instant::now()),
            redirects: REDIRECTS,
        };
        let fetched = self.client.fetch(url, limits).await;
        fetched
            .inspect_err(|error| tracing::debug!(%error, "a link has no preview"))
            .ok()
    }
}

impl Page {
    fn bytes(&self) -> usize {
        let texts = [&self.description, &self.thumbnail].into_iter().flatten();
        self.title.len() + texts.map(String::len).sum::<usize>()
    }
}

/// The link that a message shows a preview of: the first one of a text, unless it wants none.
pub(crate) fn link_of(request: &SendRequest) -> Option<&str> {
    if request.kind != SendType::Text || request.link_preview == Some(false) {
        return None;
    }
    first_link(request.text.as_deref()?)
}

/// The first link of a text: a word that begins with `http://`, `https://` or `www.`, without
/// the signs that end a sentence.
fn first_link(text: &str) -> Option<&str> {
    text.split_whitespace()
        .map(|word| word.trim_start_matches(['(', '[', '<', '"', '\'', '*', '_', '~']))
        .find(|word| {
            let begins_with = |scheme: &str| {
                let head = word.get(..scheme.len());
                head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
                    && word.len() > scheme.len()
            };
            ["http://", "https://", "www."].into_iter().any(begins_with)
        })
        .map(|word| {
            let ends = [
                '.', ',', ';', ':', '!', '?', '"', '\'', '>', ']', '*', '_', '~',
            ];
            let bare = word.trim_end_matches(ends);
            // A bracket may belong to the address.
            if bare.contains('(') {
                bare
            } else {
                bare.trim_end_matches(|sign| sign == ')' || ends.contains(&sign))
            }
        })
}

/// Where a link leads.
fn address(link: &str) -> String {
    let has_scheme = link
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case("http"));
    if has_scheme {
        link.to_owned()
    } else {
        format!("https://{link}")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use wagate_delivery::{AddressGuard, AllowList, ClientTimeouts};

    use super::*;

    #[test]
    fn the_first_link_is_found_without_what_surrounds_it() {
        for (text, link) in [
            (
                "see https://e.example/a?b=c#d.",
                Some("https://e.example/a?b=c#d"),
            ),
            ("(HTTP://e.example/)", Some("HTTP://e.example/")),
            (
                "*www.e.example*, and https://f.example",
                Some("www.e.example"),
            ),
            ("https://e.example/a_(b)", Some("https://e.example/a_(b)")),
            ("e.example http:// www. ümlaut", None),
            ("", None),
        ] {
            assert_eq!(first_link(text), link, "{text}");
        }
    }

    /// A page that the server counts requests for.
    async fn counted() -> (String, Arc<AtomicUsize>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let asked = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 1_024];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                asked.fetch_add(1, Ordering::SeqCst);
                // Its head comes first, and then more than is read of a page.
                let length = PAGE_BYTES * 2;
                let page = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\
                     \r\nConnection: close\r\n\r\n<title>A page</title>{}",
                    " ".repeat(length - 21)
                );
                // Who has enough hangs up.
                let _ = stream.write_all(page.as_bytes()).await;
            }
        });
        (url, count)
    }

    fn previews() -> LinkPreviews {
        let guard = AddressGuard::new(AllowList::loopback());
        let client = GuardedClient::new(guard, ClientTimeouts::default());
        LinkPreviews::new(client.unwrap(), Decoders::default())
    }

    #[tokio::test]
    async fn of_a_long_page_the_beginning_is_read_and_once() {
        let (url, count) = counted().await;
        let previews = previews();
        let organization = OrganizationId::from_parts(1, 1);
        for _ in 0..2 {
            let preview = previews.of(organization, &url).await.unwrap();
            assert_eq!(preview.title, "A page");
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_page_that_nobody_had_time_to_look_at_is_looked_at_the_next_time() {
        let (url, count) = counted().await;
        let previews = previews();
        let [busy, other] = [1, 2].map(|n| OrganizationId::from_parts(1, n));
        let all = previews
            .lookers
            .take(busy, OF_AN_ORGANIZATION, Duration::ZERO)
            .await
            .unwrap();
        assert!(previews.of(busy, &url).await.is_none());
        assert_eq!(count.load(Ordering::SeqCst), 0);
        assert!(previews.of(other, &url).await.is_some());
        drop(all);
        assert!(previews.of(busy, &url).await.is_some());
    }

    #[test]
    fn a_link_without_a_scheme_leads_to_https() {
        assert_eq!(address("www.e.example"), "https://www.e.example");
        assert_eq!(address("HTTP://e.example/"), "HTTP://e.example/");
    }
}
