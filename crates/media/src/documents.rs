//! Documents: anything, and what it is called.

use memchr::memmem;

use crate::{Prepared, Wanted, sniff};

/// Longer MIME types are nobody's.
const MAX_MIME: usize = 255;
/// More pages than a reader shows.
const MAX_PAGES: u32 = 1_000_000;

/// What endings of names say where the bytes say nothing, or only "a ZIP archive".
const ENDINGS: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("apk", "application/vnd.android.package-archive"),
    ("epub", "application/epub+zip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ppt", "application/vnd.ms-powerpoint"),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("xml", "application/xml"),
];

/// Any file, as what its sender says, its bytes show or its name ends like.
pub(crate) fn prepare(file: &[u8], wanted: &Wanted) -> Prepared {
    let sniffed = sniff(file);
    let named = || wanted.file_name.as_deref().and_then(by_ending);
    let declared = wanted.declared_mime.as_deref().map(str::trim);
    let mime = match (declared, sniffed) {
        (Some(declared), _) if is_mime(declared) => declared,
        (_, Some(mime @ ("application/zip" | "application/x-ole-storage"))) => {
            named().unwrap_or(mime)
        }
        (_, Some(mime)) => mime,
        (_, None) => named().unwrap_or("application/octet-stream"),
    };
    let is_pdf = sniffed == Some("application/pdf");
    Prepared {
        mime: mime.to_owned(),
        page_count: if is_pdf { pages(file) } else { None },
        ..Prepared::default()
    }
}

fn by_ending(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    let found = ENDINGS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(ending));
    found.map(|(_, mime)| *mime)
}

/// `type/subtype`, with or without parameters (RFC 6838).
fn is_mime(text: &str) -> bool {
    let is_name = |name: &str| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !name.is_empty() && name.bytes().all(is_known)
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let names = essence.split_once('/');
    text.len() <= MAX_MIME
        && is_plain
        && names.is_some_and(|(family, rest)| is_name(family) && is_name(rest))
}

/// The largest count that a node of the page tree tells: the root's. Trees in compressed
/// objects are not looked for.
fn pages(file: &[u8]) -> Option<u32> {
    let mut most = None;
    let mut rest = file;
    while let Some(start) = memmem::find(rest, b" obj") {
        let object = &rest[start + 4..];
        let end = memmem::find(object, b"endobj").unwrap_or(object.len());
        most = most.max(node_pages(&object[..end]));
        rest = &object[end..];
    }
    most.filter(|pages| (1..=MAX_PAGES).contains(pages))
}

fn node_pages(object: &[u8]) -> Option<u32> {
    // Streams hold anything; dictionaries of nodes have none.
    let is_node = memmem::find(object, b"/Pages").is_some()
        && memmem::find(object, b"/Kids").is_some()
        && memmem::find(object, b"stream").is_none();
    if !is_node {
        return None;
    }
    let after = memmem::find(object, b"/Count")? + b"/Count".len();
    let text = object.get(after..)?.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}
