#!/usr/bin/env bash
# with-postgres.sh COMMAND …: runs the command with TEST_DATABASE_URL set to a
# PostgreSQL server made for it, which listens on a socket in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/install.sh
server_bin() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }
[ -n "$(server_bin)" ] || need pg_ctlcluster postgresql
bin=$(server_bin)
folder=$(mktemp -d)
# PostgreSQL refuses to run as root.
run() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" -ne 0 ] || chown postgres "$folder"
stop() {
  (cd / && run "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1) || true
  rm -rf "$folder"
}
trap stop EXIT
(
  cd /
  run "$bin/initdb" -D "$folder/data" -U wagate -A trust --no-sync >/dev/null
  # Durability is PostgreSQL's own matter; here speed counts.
  run "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" -o "-c listen_addresses='' -k $folder -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=400" start >/dev/null
)
chmod 755 "$folder"
export TEST_DATABASE_URL="postgres://wagate@localhost/postgres?host=$folder"
"$@"
