#!/usr/bin/env bash
# Every check of the project, in the order of what fails fastest.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/install.sh
need_rust
need_nextest
need curl curl
need jq jq
step() { printf '\n== %s\n' "$*"; }

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets -- -D warnings

step "documentation"
RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --quiet

step "the production binary: without the sandbox, verifying WhatsApp's certificates"
cargo clippy -p wagate --all-targets -- -D warnings
scripts/with-nats.sh cargo nextest run -p wagate -p wagate-engine

step "generated files"
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
cargo run --quiet -p wagate -- openapi > "$generated/openapi.json"
cargo run --quiet -p wagate -- config > "$generated/configuration.md"
diff -u docs/openapi.json "$generated/openapi.json" | head -n 40 || true
cmp docs/openapi.json "$generated/openapi.json" || { echo "make it anew: cargo run -p wagate -- openapi > docs/openapi.json" >&2; exit 1; }
cmp docs/configuration.md "$generated/configuration.md" || { echo "make it anew: cargo run -p wagate -- config > docs/configuration.md" >&2; exit 1; }

step "tests on SQLite"
TEST_COVERED="$generated/covered" scripts/with-nats.sh cargo nextest run --workspace --features wagate/sandbox

step "every operation and every event has an end-to-end test"
scripts/covered.sh "$generated/covered"

step "tests on PostgreSQL"
scripts/with-nats.sh scripts/with-postgres.sh cargo nextest run --workspace --features wagate/sandbox --profile postgres

step "the tour of the README"
timeout 600 scripts/sandbox.sh --tour-only --listen 127.0.0.1:0 --simulator-listen 127.0.0.1:0

step "documentation examples"
cargo test --workspace --features wagate/sandbox --doc --quiet

step "all checks passed"
