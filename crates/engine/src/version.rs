//! Which version of WhatsApp Web the client says it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use wagate_model::Clock;
use whatsapp_rust::http::HttpClient;

use crate::EngineError;

/// How old a fetched version may become.
const REFRESH_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;
/// How soon after a failed or useless fetch another one is tried.
const RETRY_AFTER_MS: i64 = 10 * 60 * 1_000;
/// How long one fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// A version of WhatsApp Web.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientVersion {
    /// The first part, 2.
    pub primary: u32,
    /// The second part, 3000.
    pub secondary: u32,
    /// The third part: WhatsApp Web's build.
    pub tertiary: u32,
}

impl ClientVersion {
    /// What is claimed while no version was ever fetched.
    pub const BUILT_IN: Self = Self {
        primary: 2,
        secondary: 3000,
        tertiary: 1_042_742_319,
    };
}

impl std::fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.primary, self.secondary, self.tertiary)
    }
}

/// A fetched version, for keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedVersion {
    /// The version.
    pub version: ClientVersion,
    /// When it was fetched, in milliseconds since 1970.
    pub fetched_at_ms: i64,
}

/// Where the version comes from; one for all sessions of a process.
///
/// A session never waits for it: there is always a cached or built-in version,
/// and fetching happens beside.
#[derive(Debug)]
pub struct VersionSource {
    clock: Arc<dyn Clock>,
    is_fixed: bool,
    current: watch::Sender<CachedVersion>,
    retry_at_ms: AtomicI64,
    fetching: Mutex<()>,
}

impl VersionSource {
    /// Always the same version, for the sandbox and for pinning.
    #[must_use]
    pub fn fixed(version: ClientVersion, clock: Arc<dyn Clock>) -> Arc<Self> {
        let fetched_at_ms = clock.now_ms();
        Self::make(
            CachedVersion {
                version,
                fetched_at_ms,
            },
            true,
            clock,
        )
    }

    /// The current version, beginning with the one kept from last time, if any.
    #[must_use]
    pub fn live(kept: Option<CachedVersion>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let built_in = CachedVersion {
            version: ClientVersion::BUILT_IN,
            fetched_at_ms: 0,
        };
        let start = kept.filter(|kept| kept.version >= built_in.version);
        Self::make(start.unwrap_or(built_in), false, clock)
    }

    fn make(start: CachedVersion, is_fixed: bool, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            is_fixed,
            current: watch::Sender::new(start),
            retry_at_ms: AtomicI64::new(0),
            fetching: Mutex::new(()),
        })
    }

    /// The version to claim now.
    #[must_use]
    pub fn current(&self) -> ClientVersion {
        self.current.borrow().version
    }

    /// Tells every newly fetched version, to be kept for the next start.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<CachedVersion> {
        self.current.subscribe()
    }

    /// How long until a fetch is due; zero if it is now, none if never.
    #[must_use]
    pub fn due_in(&self) -> Option<Duration> {
        if self.is_fixed {
            return None;
        }
        let fetched_at_ms = self.current.borrow().fetched_at_ms;
        let due_at_ms = fetched_at_ms
            .saturating_add(REFRESH_AFTER_MS)
            .max(self.retry_at_ms.load(Ordering::Relaxed));
        let wait_ms = due_at_ms.saturating_sub(self.clock.now_ms());
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    /// Fetches the version now.
    pub(crate) async fn refresh(
        &self,
        http: &Arc<dyn HttpClient>,
    ) -> Result<ClientVersion, EngineError> {
        if self.is_fixed {
            return Ok(self.current());
        }
        let _one_at_a_time = self.fetching.lock().await;
        self.fetch(http).await
    }

    /// A version newer than one that WhatsApp refused, if there is one.
    ///
    /// Many sessions are refused at the same time; one fetch serves them all,
    /// and a fetch that found nothing newer is not repeated for a while.
    pub(crate) async fn newer_than(
        &self,
        refused: ClientVersion,
        http: &Arc<dyn HttpClient>,
    ) -> Option<ClientVersion> {
        if self.is_fixed {
            return None;
        }
        let _one_at_a_time = self.fetching.lock().await;
        let is_fetched_by_another = self.current() > refused;
        let may_fetch = self.clock.now_ms() >= self.retry_at_ms.load(Ordering::Relaxed);
        if !is_fetched_by_another && may_fetch {
            // What went wrong is told where it is fetched.
            let _ = self.fetch(http).await;
        }
        Some(self.current()).filter(|version| *version > refused)
    }

    async fn fetch(&self, http: &Arc<dyn HttpClient>) -> Result<ClientVersion, EngineError> {
        let now_ms = self.clock.now_ms();
        self.retry_at_ms
            .store(now_ms.saturating_add(RETRY_AFTER_MS), Ordering::Relaxed);
        let fetch = whatsapp_rust::version::fetch_latest_app_version(http);
        let fetched = match tokio::time::timeout(FETCH_TIMEOUT, fetch).await {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(error)) => return Err(self.tell_failure(&format!("{error:#}"))),
            Err(_) => return Err(self.tell_failure("no answer in time")),
        };
        let (primary, secondary, tertiary) = fetched;
        let version = ClientVersion {
            primary,
            secondary,
            tertiary,
        };
        // The page sometimes lacks the build; such a version would be refused.
        if tertiary == 0 || version < ClientVersion::BUILT_IN {
            return Err(self.tell_failure("the version found is not credible"));
        }
        tracing::info!(%version, "client version fetched");
        self.current.send_replace(CachedVersion {
            version,
            fetched_at_ms: now_ms,
        });
        Ok(version)
    }

    fn tell_failure(&self, cause: &str) -> EngineError {
        let kept = self.current();
        tracing::warn!(cause, %kept, "client version not fetched; the known one is kept");
        EngineError::Version(cause.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use wagate_model::ManualClock;
    use whatsapp_rust::http::{HttpRequest, HttpResponse};

    use super::*;

    struct Page {
        body: String,
        fetches: AtomicUsize,
    }

    #[async_trait::async_trait]
    impl HttpClient for Page {
        async fn execute(
            &self,
            request: HttpRequest,
        ) -> Result<HttpResponse, whatsapp_rust::anyhow::Error> {
            assert_eq!(request.url, "https://web.whatsapp.com/sw.js");
            self.fetches.fetch_add(1, Ordering::SeqCst);
            Ok(HttpResponse {
                status_code: 200,
                body: self.body.clone().into_bytes(),
            })
        }
    }

    fn page(build: u32) -> (Arc<Page>, Arc<dyn HttpClient>) {
        let page = Arc::new(Page {
            body: format!("client_revision:{build};"),
            fetches: AtomicUsize::new(0),
        });
        (page.clone(), page)
    }

    fn version(tertiary: u32) -> ClientVersion {
        ClientVersion {
            tertiary,
            ..ClientVersion::BUILT_IN
        }
    }

    #[tokio::test]
    async fn a_kept_version_is_used_until_a_day_has_passed() {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let kept = CachedVersion {
            version: version(1_050_000_000),
            fetched_at_ms: 1_000_000,
        };
        let source = VersionSource::live(Some(kept), clock.clone());
        assert_eq!(source.current(), kept.version);
        assert_eq!(source.due_in(), Some(Duration::from_hours(24)));
        clock.advance_ms(REFRESH_AFTER_MS);
        assert_eq!(source.due_in(), Some(Duration::ZERO));

        let (_, http) = page(1_060_000_000);
        source.refresh(&http).await.unwrap();
        assert_eq!(source.current(), version(1_060_000_000));
        assert_eq!(source.changes().borrow().fetched_at_ms, clock.now_ms());
    }

    #[tokio::test]
    async fn a_failed_fetch_keeps_the_known_version_and_waits() {
        let clock = Arc::new(ManualClock::at(5));
        let source = VersionSource::live(None, clock.clone());
        let (_, http) = page(0);
        assert!(source.refresh(&http).await.is_err());
        assert_eq!(source.current(), ClientVersion::BUILT_IN);
        assert!(source.due_in() > Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn refused_sessions_share_one_fetch() {
        let clock = Arc::new(ManualClock::at(5));
        let source = VersionSource::live(None, clock.clone());
        let (counted, http) = page(1_070_000_000);
        let refused = source.current();
        for _ in 0..3 {
            let newer = source.newer_than(refused, &http).await;
            assert_eq!(newer, Some(version(1_070_000_000)));
        }
        assert_eq!(counted.fetches.load(Ordering::SeqCst), 1);
        // The newest one is refused too: one more fetch is not due yet.
        assert_eq!(source.newer_than(version(1_070_000_000), &http).await, None);
        assert_eq!(counted.fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_fixed_version_is_never_fetched() {
        let clock = Arc::new(ManualClock::at(5));
        let source = VersionSource::fixed(version(7), clock);
        let (counted, http) = page(1_080_000_000);
        assert_eq!(source.refresh(&http).await.unwrap(), version(7));
        assert_eq!(source.newer_than(version(7), &http).await, None);
        assert_eq!(source.due_in(), None);
        assert_eq!(counted.fetches.load(Ordering::SeqCst), 0);
    }
}
