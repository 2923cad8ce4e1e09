//! Log lines: ours as they are, those of libraries without what may be private.

use std::fmt;
use std::io::IsTerminal as _;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

use super::panics;
use super::scrub::scrub;
use crate::config::{LibraryLevel, LogConfig, LogFormat};

/// Writes logs to standard error from now on; a second call changes nothing.
pub(crate) fn start_logs(config: &LogConfig) -> anyhow::Result<()> {
    let lines = lines(config, std::io::stderr)?;
    // Another subscriber is there in tests that start several services.
    if tracing_subscriber::registry()
        .with(lines)
        .try_init()
        .is_ok()
    {
        panics::tell_by_place();
    }
    Ok(())
}

fn lines<W>(
    config: &LogConfig,
    writer: W,
) -> anyhow::Result<impl Layer<Registry> + Send + Sync + 'static>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours = EnvFilter::try_new(&config.filter).context("configuration: `log.filter`")?;
    let libraries = level(config.libraries);
    // Ours by the filter, theirs by their own level; their spans never, which would
    // put their fields into our lines.
    let filter = ours
        .and(filter_fn(is_ours).with_max_level_hint(LevelFilter::TRACE))
        .or(
            filter_fn(move |line| line.is_event() && !is_ours(line) && *line.level() <= libraries)
                .with_max_level_hint(libraries),
        );
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        // Colours are for people at a terminal, not for files and collectors.
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match config.format {
        LogFormat::Text => lines
            .map_event_format(|ours| Guarded {
                ours,
                library: write_text,
            })
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .map_event_format(|ours| Guarded {
                ours,
                library: write_json,
            })
            .boxed(),
    };
    Ok(lines.with_filter(filter))
}

fn level(level: LibraryLevel) -> LevelFilter {
    match level {
        LibraryLevel::Off => LevelFilter::OFF,
        LibraryLevel::Error => LevelFilter::ERROR,
        LibraryLevel::Warn => LevelFilter::WARN,
        LibraryLevel::Info => LevelFilter::INFO,
        LibraryLevel::Debug => LevelFilter::DEBUG,
    }
}

/// Our crates keep the rule of what may be logged; nobody else knows it.
fn is_ours(line: &Metadata<'_>) -> bool {
    line.target().starts_with("wagate")
}

type WriteLibraryLine = fn(&mut Writer<'_>, &LibraryLine<'_>) -> fmt::Result;

/// Writes our lines by the format given, and libraries' ones scrubbed.
struct Guarded<F> {
    ours: F,
    library: WriteLibraryLine,
}

impl<S, N, F> FormatEvent<S, N> for Guarded<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Lines of the `log` crate carry their origin in fields.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        if is_ours(metadata) {
            return self.ours.format_event(context, writer, event);
        }
        let mut line = LibraryLine {
            metadata,
            message: String::new(),
            figures: Map::new(),
        };
        event.record(&mut line);
        (self.library)(&mut writer, &line)
    }
}

/// What is told of a library's line: where it comes from, its message scrubbed, figures.
struct LibraryLine<'m> {
    metadata: &'m Metadata<'m>,
    message: String,
    figures: Map<String, Value>,
}

impl LibraryLine<'_> {
    fn note(&mut self, field: &Field, figure: Value) {
        // `log.line` and its like are in the metadata.
        if !field.name().starts_with("log.") {
            self.figures.insert(field.name().to_owned(), figure);
        }
    }
}

impl Visit for LibraryLine<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = scrub(&format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = scrub(value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        // A long one may be somebody's number.
        if value.unsigned_abs() < 10_000 {
            self.note(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_i64(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value.into());
    }
}

fn write_text(writer: &mut Writer<'_>, line: &LibraryLine<'_>) -> fmt::Result {
    SystemTime.format_time(writer)?;
    let (level, target) = (line.metadata.level(), line.metadata.target());
    write!(writer, " {level:>5} {target}: {}", line.message)?;
    for (name, figure) in &line.figures {
        write!(writer, " {name}={figure}")?;
    }
    if let Some((file, number)) = place(line.metadata) {
        write!(writer, " at {file}:{number}")?;
    }
    writeln!(writer)
}

fn write_json(writer: &mut Writer<'_>, line: &LibraryLine<'_>) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut object = line.figures.clone();
    object.insert("timestamp".into(), time.into());
    object.insert("level".into(), line.metadata.level().as_str().into());
    object.insert("target".into(), line.metadata.target().into());
    object.insert("message".into(), line.message.as_str().into());
    if let Some((file, number)) = place(line.metadata) {
        object.insert("place".into(), json!(format!("{file}:{number}")));
    }
    writeln!(writer, "{}", Value::Object(object))
}

/// The file within its crate: the folders before it are the building machine's.
fn place<'m>(metadata: &'m Metadata<'_>) -> Option<(&'m str, u32)> {
    let file = metadata.file()?;
    let short = file.rsplit_once("/src/").map_or(file, |(_, short)| short);
    Some((short, metadata.line()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn page(config: &LogConfig, work: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let lines = lines(config, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn with_format(format: LogFormat) -> LogConfig {
        LogConfig {
            format,
            ..LogConfig::default()
        }
    }

    #[test]
    fn libraries_are_told_from_warnings_on_without_private_pieces() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let page = page(&with_format(format), || {
                let span =
                    tracing::error_span!(target: "wacore::send", "send", to = "4915112345678");
                let _entered = span.enter();
                tracing::warn!(
                    target: "Client/Send",
                    jid = "4915112345678@s.whatsapp.net",
                    user = 4_915_112_345_678_u64,
                    attempt = 3,
                    "no session with {}", "4915112345678@s.whatsapp.net"
                );
                tracing::info!(target: "Client/Send", "sending 1");
                tracing::info!(target: "wagate_gateway", sessions = 7, "claimed");
            });
            assert_eq!(page.lines().count(), 2, "{page}");
            assert!(page.contains("Client/Send") && page.contains("no session with …"));
            assert!(page.contains("attempt") && page.contains("lines.rs"));
            assert!(page.contains("claimed") && page.contains("sessions"));
            assert!(!page.contains("49151"), "{page}");
            if format == LogFormat::Json {
                for line in page.lines() {
                    serde_json::from_str::<Value>(line).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_level_of_libraries_is_a_setting_of_its_own() {
        let mut config = with_format(LogFormat::Text);
        config.filter = "error".into();
        config.libraries = LibraryLevel::Info;
        let page = page(&config, || {
            tracing::info!(target: "sqlx", "connected");
            tracing::debug!(target: "sqlx", "details");
            tracing::info!(target: "wagate_app", "ours");
        });
        assert!(page.contains("connected"), "{page}");
        assert!(!page.contains("details") && !page.contains("ours"));
    }

    #[test]
    fn a_panic_is_told_without_its_text() {
        let page = page(&with_format(LogFormat::Text), || {
            panics::tell_by_place();
            let text = "Hello 4915112345678".to_owned();
            std::panic::catch_unwind(move || panic!("cannot send {text}")).unwrap_err();
        });
        assert!(page.contains("a thread panicked") && page.contains("lines.rs"));
        assert!(!page.contains("Hello") && !page.contains("49151"), "{page}");
    }
}
