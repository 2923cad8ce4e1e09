# Sourced by the other scripts: installs what is missing, and says so.
# shellcheck shell=bash

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# need COMMAND PACKAGE: installs the Debian package when the command is missing.
need() {
  command -v "$1" >/dev/null 2>&1 && return
  echo "installing the Debian package $2 (for the command $1)"
  if [ -z "${apt_is_fresh:-}" ]; then
    as_root apt-get update -qq
    apt_is_fresh=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

need_rust() {
  command -v cargo >/dev/null 2>&1 || {
    echo "wagate is built with Rust: install it from https://rustup.rs and try again" >&2
    exit 1
  }
  need cc gcc
  # The C library's headers; gcc alone does not bring them.
  [ -e /usr/include/stdlib.h ] || { echo "installing the Debian package libc6-dev"; as_root apt-get install -y -qq libc6-dev >/dev/null; }
}

need_nextest() {
  cargo nextest --version >/dev/null 2>&1 && return
  echo "installing cargo-nextest, which runs the tests (takes some minutes once)"
  cargo install --locked cargo-nextest
}
