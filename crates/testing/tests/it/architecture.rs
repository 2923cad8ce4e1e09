//! Who may depend on whom: the table of `ARCHITECTURE.md`, held by a test.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The crates of this workspace that each crate may use; tests may use more.
const INNER: &[(&str, &[&str])] = &[
    ("wagate-dependencies", &[]),
    ("wagate-media", &[]),
    ("wagate-model", &[]),
    ("wagate-store", &["model"]),
    ("wagate-engine", &["model"]),
    ("wagate-cluster", &["model", "store"]),
    ("wagate-gateway", &["model", "store", "engine", "cluster"]),
    ("wagate-delivery", &["model", "store"]),
    ("wagate-identity", &["model", "store"]),
    ("wagate-storage", &["model", "store", "delivery"]),
    (
        "wagate-core",
        &[
            "model", "store", "cluster", "delivery", "identity", "storage", "media",
        ],
    ),
    ("wagate-api", &["model", "core"]),
    ("wagate-simulator", &[]),
    (
        "wagate",
        &[
            "model",
            "store",
            "engine",
            "cluster",
            "gateway",
            "delivery",
            "identity",
            "storage",
            "core",
            "api",
            "simulator",
        ],
    ),
    ("wagate-testing", &["wagate", "model", "simulator"]),
    ("wagate-bench", &["testing", "model", "store", "simulator"]),
];

/// The only crates that may use a library.
const OUTER: &[(&str, &[&str])] = &[
    (
        "axum",
        &[
            "wagate-api",
            "wagate-simulator",
            "wagate-testing",
            "wagate-bench",
        ],
    ),
    ("async-nats", &["wagate-cluster"]),
    ("whatsapp-rust", &["wagate-engine"]),
    ("sqlx", &["wagate-store"]),
    (
        "wacore",
        &["wagate-engine", "wagate-store", "wagate-simulator"],
    ),
    (
        "waproto",
        &["wagate-engine", "wagate-store", "wagate-simulator"],
    ),
    ("wacore-libsignal", &["wagate-simulator"]),
    (
        "reqwest",
        &[
            "wagate",
            "wagate-delivery",
            "wagate-engine",
            "wagate-identity",
            "wagate-storage",
            "wagate-testing",
            "wagate-bench",
        ],
    ),
    ("image", &["wagate-media"]),
    ("html5gum", &["wagate-media"]),
    ("symphonia", &["wagate-media"]),
    ("ropus", &["wagate-media"]),
    ("ogg", &["wagate-media"]),
    ("clap", &["wagate", "wagate-bench"]),
    ("figment", &["wagate"]),
];

/// What nobody may use, and what takes its place.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "rustls with ring"),
    ("native-tls", "rustls with ring"),
    ("aws-lc-rs", "rustls with ring"),
    ("aws-lc-sys", "rustls with ring"),
    ("diesel", "the store's own backend"),
    ("ureq", "the engine's own HTTP client"),
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .exec()
        .expect("cargo metadata works in the workspace")
}

fn uses(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata.workspace_packages();
    packages
        .iter()
        .map(|package| {
            let names = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.clone());
            (package.name.to_string(), names.collect())
        })
        .collect()
}

#[test]
fn crates_use_only_the_crates_below_them() {
    let uses = uses(&metadata());
    let table: BTreeMap<_, _> = INNER.iter().copied().collect();
    for (name, used) in &uses {
        let allowed = table
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        for inner in used.iter().filter(|used| uses.contains_key(*used)) {
            let short = inner.strip_prefix("wagate-").unwrap_or(inner);
            assert!(
                short == "dependencies" || allowed.contains(&short),
                "{name} must not use {inner}"
            );
        }
    }
}

#[test]
fn libraries_stay_in_their_crates() {
    let uses = uses(&metadata());
    for (library, owners) in OUTER {
        for (name, used) in &uses {
            assert!(
                !used.contains(*library) || owners.contains(&name.as_str()),
                "{name} must not use {library}: it belongs to {owners:?}"
            );
        }
    }
}

#[test]
fn one_tls_stack_and_no_second_storage() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("the graph is resolved");
    for node in &resolve.nodes {
        let name = metadata[&node.id].name.as_str();
        if let Some((_, instead)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            panic!("{name} is in the tree; use {instead}");
        }
    }
}
