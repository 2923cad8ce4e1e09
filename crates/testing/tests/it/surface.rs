//! What is offered: the operations of the contract and the functions of the engine's library.
//!
//! `docs/operations.md` is made from the contract, the API document and a table of the
//! library's functions, which has a line for each of them. With `UPDATE_OPERATIONS=1` it is
//! written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

const CONTRACT: &str = include_str!("../../../api/tests/data/contract.json");
const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");
const ENGINE: &str = include_str!("../data/engine.tsv");

/// The library's files with the functions that clients call.
const FILES: &[&str] = &[
    "features",
    "send/actions.rs",
    "client/iq_ops.rs",
    "client/voip.rs",
    "receipt.rs",
    "pdo.rs",
    "spam_report.rs",
    "pair_code.rs",
    "upload.rs",
    "download.rs",
];

/// Why operations of the contract are not offered, by their tags.
const NOT_OFFERED: &[(&str, &str)] = &[
    (
        "Backup",
        "importing other products' data is not offered yet",
    ),
    ("OAuth Apps", "signing in with WhatsApp is not offered yet"),
];

/// Something that clients can call: by method and path.
type Operations = BTreeMap<String, (String, String)>;

fn offered() -> Operations {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut operations = Operations::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else {
                continue;
            };
            let place = (method.to_uppercase(), path.clone());
            operations.insert(id.to_owned(), place);
        }
    }
    operations
}

/// A line of the table: what a function is used for, and what there is to say of it.
struct Line {
    function: &'static str,
    used_by: &'static str,
    why: &'static str,
}

fn table() -> Vec<Line> {
    let lines = ENGINE.lines().map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        Line {
            function: next(),
            used_by: next(),
            why: next(),
        }
    });
    lines.collect()
}

fn library() -> PathBuf {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .unwrap();
    let package = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "whatsapp-rust")
        .unwrap();
    package.manifest_path.parent().unwrap().join("src").into()
}

fn functions_of(file: &Path, found: &mut BTreeSet<String>) {
    let module = file.file_stem().unwrap().to_str().unwrap();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let Some(rest) = line.strip_prefix("    pub async fn ") else {
            continue;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name: String = rest.chars().take_while(|c| is_name(*c)).collect();
        found.insert(format!("{module}.{name}"));
    }
}

#[test]
fn every_function_of_the_library_has_its_line() {
    let library = library();
    let mut found = BTreeSet::new();
    for file in FILES {
        let path = library.join(file);
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                functions_of(&entry.unwrap().path(), &mut found);
            }
        } else {
            functions_of(&path, &mut found);
        }
    }
    let listed: BTreeSet<_> = table()
        .iter()
        .map(|line| line.function.to_owned())
        .collect();
    let missing: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{missing:?} {gone:?}"
    );
}

#[test]
fn the_table_names_operations_that_are_there() {
    let offered = offered();
    for line in table() {
        let Line {
            function,
            used_by,
            why,
        } = line;
        match used_by {
            "-" => assert!(!why.is_empty(), "{function} is left out without a reason"),
            "*" => {}
            id => assert!(offered.contains_key(id), "{function}: {id}"),
        }
    }
}

fn page() -> String {
    let offered = offered();
    let contract: Value = serde_json::from_str(CONTRACT).unwrap();
    let mut page = String::from(
        "# Operations\n\nWhat is offered: the operations of the public contract, those beyond it, \
         and what of the protocol library's functions they use. Made by \
         `UPDATE_OPERATIONS=1 cargo nextest run -p wagate-testing -E 'test(surface)'`.\n\n\
         ## The contract\n\n| operation | request | |\n|---|---|---|\n",
    );
    let mut theirs = BTreeSet::new();
    for operation in contract["operations"].as_array().unwrap() {
        let id = operation["operationId"].as_str().unwrap();
        theirs.insert(id);
        let text = |key: &str| operation[key].as_str().unwrap_or_default();
        let tag = operation["tags"][0].as_str().unwrap_or(text("tag"));
        let why = NOT_OFFERED.iter().find(|(of, _)| *of == tag);
        let state = match (offered.contains_key(id), why) {
            (true, _) => "offered",
            (false, Some((_, why))) => why,
            (false, None) => panic!("{id} is neither offered nor explained"),
        };
        let method = text("method").to_uppercase();
        writeln!(page, "| {id} | `{method} {}` | {state} |", text("path")).unwrap();
    }
    page.push_str("\n## Beyond the contract\n\n| operation | request |\n|---|---|\n");
    for (id, (method, path)) in &offered {
        if !theirs.contains(id.as_str()) && !path.starts_with("/api/auth/") {
            writeln!(page, "| {id} | `{method} {path}` |").unwrap();
        }
    }
    page.push_str(
        "\n## The protocol library\n\nThe functions that clients of the library call, and what \
         uses them. What encrypts, decrypts and keeps the connection works by itself.\n\n\
         | function | used by |\n|---|---|\n",
    );
    for line in table() {
        let used_by = match (line.used_by, line.why) {
            ("-", why) => format!("not offered: {why}"),
            ("*", _) => "the connection itself".to_owned(),
            (id, "") => id.to_owned(),
            (id, why) => format!("{id}: {why}"),
        };
        writeln!(page, "| `{}` | {used_by} |", line.function).unwrap();
    }
    page
}

#[test]
fn the_page_of_operations_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let page = page();
    if std::env::var_os("UPDATE_OPERATIONS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/operations.md is old: make it anew with \
         UPDATE_OPERATIONS=1 cargo nextest run -p wagate-testing -E 'test(surface)'"
    );
}
