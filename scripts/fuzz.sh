#!/usr/bin/env bash
# fuzz.sh [TARGET|all] [SECONDS]: runs one fuzz target, or all of them in turn, for 60 seconds each
# unless told otherwise. What is found stays in fuzz/corpus, and what fails in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/install.sh
need_rust
need c++ g++
cargo fuzz --version >/dev/null 2>&1 || {
  echo "installing cargo-fuzz, which runs the fuzz targets (takes some minutes once)"
  cargo install --locked cargo-fuzz
}
# The sanitizers' flags belong to the nightly compiler; this lets the stable one take them.
export RUSTC_BOOTSTRAP=1

targets=$(cargo fuzz list)
chosen=()
if [ "${1:-all}" != all ]; then
  grep -qxF -- "$1" <<<"$targets" || { printf 'there is no target %s; there are:\n%s\n' "$1" "$targets" >&2; exit 1; }
  targets=$1
  chosen=("$1")
fi
seconds=${2:-60}

echo "building (some minutes the first time)"
cargo fuzz build "${chosen[@]}"
failed=
for target in $targets; do
  printf '\n== %s\n' "$target"
  inputs=("fuzz/corpus/$target")
  mkdir -p "${inputs[0]}"
  # New inputs go to the first folder only: the seeds stay as they are.
  [ ! -d "fuzz/seeds/$target" ] || inputs+=("fuzz/seeds/$target")
  cargo fuzz run "$target" "${inputs[@]}" -- -max_total_time="$seconds" -timeout=10 -print_final_stats=1 || failed+=" $target"
done
[ -z "$failed" ] || { printf '\nfailed:%s; the inputs are in fuzz/artifacts\n' "$failed" >&2; exit 1; }
