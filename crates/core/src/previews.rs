//! What texts show of the pages that they link to.
//!
//! A page is looked at once for all messages of an organization in some minutes, so that a text
//! to a thousand people is no thousand requests. Whatever goes wrong, the text is sent without:
//! a page that is slow or broken must hold no message up for long.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use wagate_delivery::{FetchLimits, Fetched, GuardedClient};
use wagate_media::{page_facts, thumbnail_of};
use wagate_model::{LinkPreview, OrganizationId, SendRequest, SendType};

/// How long a text waits for its preview.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pages that are looked at together.
const AT_ONCE: usize = 32;
/// Pictures that are made small together: it is work for the processor.
const PICTURES_AT_ONCE: usize = 2;
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

struct Page {
    title: String,
    description: Option<String>,
    thumbnail: Option<String>,
}

/// Looks at pages that texts link to.
pub struct LinkPreviews {
    client: GuardedClient,
    seen: Cache<(OrganizationId, String), Seen>,
    lookers: Semaphore,
    picture_makers: Arc<Semaphore>,
}

impl std::fmt::Debug for LinkPreviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkPreviews").finish_non_exhaustive()
    }
}

impl LinkPreviews {
    /// Fetches pages by a client that goes where users may send it.
    #[must_use]
    pub fn new(client: GuardedClient) -> Self {
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
            lookers: Semaphore::new(AT_ONCE),
            picture_makers: Arc::new(Semaphore::new(PICTURES_AT_ONCE)),
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
        let page = self.seen.get_with(key, self.look(&url));
        let page = timeout(PATIENCE, page).await.ok()??;
        Some(LinkPreview {
            matched_text: matched_text.to_owned(),
            title: page.title.clone(),
            description: page.description.clone(),
            thumbnail: page.thumbnail.clone(),
        })
    }

    /// Looks at a page; boxed, as it is part of every send.
    fn look<'a>(&'a self, url: &'a str) -> futures::future::BoxFuture<'a, Seen> {
        Box::pin(async move {
            let until = Instant::now() + PATIENCE;
            let _permit = self.lookers.acquire().await.ok()?;
            let fetched = self.fetch(url, PAGE_BYTES, until).await?;
            let content_type = fetched.content_type.as_deref().unwrap_or_default();
            if !content_type.starts_with("text/html")
                && !content_type.starts_with("application/xhtml")
            {
                return None;
            }
            let facts = page_facts(&fetched.bytes, Some(content_type));
            let picture = facts.picture.as_deref();
            let picture = picture.and_then(|picture| fetched.url.join(picture).ok());
            let thumbnail = match picture {
                Some(picture) => self.thumbnail(picture.as_str(), until).await,
                None => None,
            };
            Some(Arc::new(Page {
                title: facts.title?,
                description: facts.description,
                thumbnail,
            }))
        })
    }

    async fn thumbnail(&self, url: &str, until: Instant) -> Option<String> {
        let fetched = self.fetch(url, PICTURE_BYTES, until).await?;
        let permit = Arc::clone(&self.picture_makers).acquire_owned();
        let permit = permit.await.ok()?;
        let made = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            thumbnail_of(&fetched.bytes, PICTURE_SIDE)
        });
        let made = made.await.ok()?.ok()?;
        Some(BASE64_STANDARD.encode(made))
    }

    async fn fetch(&self, url: &str, bytes: usize, until: Instant) -> Option<Fetched> {
        let limits = FetchLimits {
            bytes,
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

    #[test]
    fn a_link_without_a_scheme_leads_to_https() {
        assert_eq!(address("www.e.example"), "https://www.e.example");
        assert_eq!(address("HTTP://e.example/"), "HTTP://e.example/");
    }
}
