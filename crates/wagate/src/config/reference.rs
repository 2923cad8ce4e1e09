//! The reference of every setting, written to `docs/configuration.md`.

use std::fmt::Write as _;

/// Every setting: its key, its default as shown, and what it does.
const SETTINGS: &[(&str, &str, &str)] = &[
    (
        "data_dir",
        "`data`",
        "Folder of the embedded database and of the keys that the service makes. Flag: `--data`.",
    ),
    (
        "roles",
        "all",
        "Which parts this process runs: `router` (the API), `gateway` (owns sessions), `worker` (webhooks, tidying up). Flag: `--roles`.",
    ),
    (
        "api.listen",
        "`127.0.0.1:8080`",
        "Address of the API. Flag: `--listen`.",
    ),
    (
        "api.metrics_listen",
        "none",
        "Serves `/metrics` on this address instead of on the API's.",
    ),
    (
        "api.public_url",
        "from the request",
        "The URL under which clients reach the API; used in realtime tickets.",
    ),
    (
        "api.cors_allowed_origins",
        "none",
        "Origins of web pages that may call the API from a browser.",
    ),
    (
        "api.trusted_proxies",
        "none",
        "Addresses or ranges of proxies in front of the API: what they say of the client's address (`X-Forwarded-For`) is believed, and failed logins are counted for that.",
    ),
    ("api.body_limit_bytes", "1048576", "Largest request body."),
    (
        "api.message_body_limit_bytes",
        "92274688",
        "Largest body of a request to send.",
    ),
    (
        "api.body_memory_bytes",
        "268435456",
        "Memory that request bodies of more than 64 KiB may take together, and one organization half of it; beyond it, requests get 429.",
    ),
    (
        "api.max_connections",
        "20000",
        "Connections that may be open at the same time; more are closed at once. Realtime sockets count for themselves.",
    ),
    (
        "api.max_sockets",
        "10000",
        "Realtime sockets that may be open at the same time.",
    ),
    (
        "api.max_sockets_per_organization",
        "1000",
        "Realtime sockets of one organization that may be open at the same time.",
    ),
    (
        "store.url",
        "`sqlite:<data_dir>/wagate.db`",
        "The database: `sqlite:PATH` or `postgres://…`. Secret: also as `store.url_file`.",
    ),
    ("store.url_file", "none", "File that holds `store.url`."),
    (
        "store.schema",
        "the user's default",
        "The PostgreSQL schema to work in; made when it is missing.",
    ),
    (
        "store.master_keys",
        "made on first start",
        "Keys in base64 that seal credentials at rest, the current one first; make one with `wagate key master`. Secret: also as `store.master_keys_file`.",
    ),
    (
        "store.master_keys_file",
        "none",
        "File that holds `store.master_keys`, separated by white space.",
    ),
    (
        "bus.url",
        "none",
        "NATS server that connects roles in several processes. Secret: also as `bus.url_file`.",
    ),
    ("bus.url_file", "none", "File that holds `bus.url`."),
    (
        "bus.prefix",
        "`wagate`",
        "First part of every NATS subject; keeps installations on one server apart.",
    ),
    (
        "identity.sign_up",
        "`closed`",
        "Who may make an account: `open` (anybody; needs `identity.smtp`), `invitation` (whoever was invited into an organization), `closed` (nobody but by the operator).",
    ),
    (
        "identity.users_create_organizations",
        "true",
        "Whether every user may make organizations, or only the operator.",
    ),
    (
        "identity.password_memory_kib",
        "19456",
        "Memory that hashing a password takes (Argon2id), in KiB.",
    ),
    (
        "identity.password_passes",
        "2",
        "Passes over that memory; at least 5 where it is below 19456 KiB.",
    ),
    (
        "identity.login_days",
        "30",
        "How long a browser stays signed in that is not used.",
    ),
    (
        "identity.builtin",
        "true",
        "Whether login tokens are made here, and accepted; `false` leaves that to `identity.issuers`.",
    ),
    (
        "identity.token_audience",
        "`wagate`",
        "The audience (`aud`) of login tokens made here. Their issuer (`iss`) is `api.public_url`, or `wagate`.",
    ),
    (
        "identity.token_key_days",
        "30",
        "How old a key may get that login tokens are signed with. `wagate key rotate-signing` makes a new one at once.",
    ),
    (
        "identity.smtp.url",
        "none",
        "The server that mails are handed over to: `smtps://user:password@host` (port 465), or `smtp://…` with STARTTLS, which is required (port 587); without encryption on this machine and with `?tls=none` (port 25). Special characters are percent-encoded.",
    ),
    (
        "identity.smtp.url_file",
        "none",
        "A file that holds `identity.smtp.url`.",
    ),
    (
        "identity.smtp.from",
        "none",
        "The sender, such as `wagate <no-reply@example.com>`.",
    ),
    (
        "identity.issuers",
        "none",
        "Other issuers whose login tokens are accepted (EdDSA, ES256, RS256), as tables `[[identity.issuers]]`: `issuer`, `audience`, `jwks_url`; `claims`, a table of the names of the claims `subject` (`sub`), `name` (`name`), `organization` (`activeOrganizationId`), `organization_role` (`orgRole`), `platform_role` (`role`), or JSON pointers such as `/realm_access/roles`; `organization_id`, everybody's organization; `default_role` of those whose tokens name none; `allows_super_admin` (false), whether it may name operators.",
    ),
    (
        "identity.providers",
        "none",
        "OpenID Connect providers that people can sign in with, as tables `[[identity.providers]]`: `id` (in paths), `name`, `issuer`, `client_id`, `client_secret` or `client_secret_file`, `scopes` (`openid`, `email`, `profile`), `creates_accounts` (false), `allowed_email_domains` (all; needed by `creates_accounts`, where `*` lets in everybody). To be registered with the provider: `<api.public_url>/api/auth/oidc/<id>/callback`.",
    ),
    (
        "gateway.id",
        "kept in the data folder",
        "Name of this gateway; must be unique in the installation and stay the same over restarts.",
    ),
    (
        "gateway.concurrent_starts",
        "64",
        "Sessions that connect at the same time.",
    ),
    (
        "gateway.start_deadline_seconds",
        "60",
        "How long a session may take to connect before it is tried again.",
    ),
    (
        "sessions.auto_read",
        "true",
        "Default of a new session: mark incoming messages read.",
    ),
    (
        "sessions.presence_typing",
        "false",
        "Default of a new session: show a typing indicator before each text.",
    ),
    (
        "sessions.rate_per_min",
        "20",
        "Default of a new session: sends per minute; 0 or less is unlimited.",
    ),
    (
        "sessions.rate_per_hour",
        "200",
        "Default of a new session: sends per hour; 0 or less is unlimited.",
    ),
    (
        "whatsapp.device_name",
        "`wagate`",
        "Name shown in the phone's list of linked devices.",
    ),
    (
        "whatsapp.client_version",
        "fetched daily",
        "Fixed WhatsApp Web version, such as `2.3000.1023456789`.",
    ),
    (
        "webhooks.allowed_ranges",
        "none",
        "Private address ranges (CIDR) that webhooks may reach, such as `10.1.0.0/16`.",
    ),
    (
        "webhooks.concurrency",
        "256",
        "Deliveries at the same time; one organization takes no more than it leaves free.",
    ),
    (
        "webhooks.concurrency_per_webhook",
        "16",
        "Deliveries to one webhook at the same time.",
    ),
    (
        "webhooks.timeout_seconds",
        "30",
        "How long a receiver may take to answer.",
    ),
    (
        "webhooks.disable_after_days",
        "5",
        "A webhook that has failed for so long without a break, 20 times or more, is disabled.",
    ),
    (
        "media.directory",
        "`<data_dir>/media`",
        "Folder of the files of messages that are not kept in a bucket. Routers and workers in several processes need the same one.",
    ),
    (
        "media.link_seconds",
        "3600",
        "How long a link to a file works without further credentials.",
    ),
    (
        "media.file_limit_bytes",
        "16777216",
        "Largest file that is sent, and that is fetched from a URL to be sent.",
    ),
    (
        "media.message_limit_bytes",
        "67108864",
        "Largest sum of the files of one message.",
    ),
    (
        "media.voice_limit_seconds",
        "1800",
        "Longest voice note that is sent. All of it is decoded, for its waveform, and for its conversion where it is no Opus.",
    ),
    (
        "media.concurrency",
        "4",
        "Files that a worker fetches from WhatsApp at the same time; at most half of them for one organization.",
    ),
    (
        "media.capture_limit_bytes",
        "104857600",
        "Largest incoming file that is fetched as it comes; larger ones are fetched when somebody asks for them.",
    ),
    (
        "media.link_previews",
        "true",
        "Whether texts show title and picture of the first page that they link to; it is fetched through the guard.",
    ),
    (
        "retention.events_days",
        "30",
        "How long events can be pulled and replayed.",
    ),
    (
        "retention.deliveries_days",
        "30",
        "How long finished webhook deliveries are kept.",
    ),
    (
        "retention.idempotency_hours",
        "48",
        "How long an `Idempotency-Key` is remembered; at least 24.",
    ),
    (
        "retention.audit_days",
        "365",
        "How long the lines of the audit log are kept; those of an organization until it ends.",
    ),
    ("log.format", "`text`", "`text` or `json`."),
    (
        "log.filter",
        "`info`",
        "What wagate itself logs, in the form `info,wagate_gateway=debug`.",
    ),
    (
        "log.libraries",
        "`warn`",
        "From which level on the lines of libraries are logged: `off`, `error`, `warn`, `info` or `debug`. Addresses, numbers, quotations and keys are taken out of them.",
    ),
];

/// Whether a key, such as `store.url` in any case, is a setting.
pub(super) fn is_setting(key: &str) -> bool {
    SETTINGS
        .iter()
        .any(|(setting, ..)| setting.eq_ignore_ascii_case(key))
}

/// The reference as a page.
pub(crate) fn markdown() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Made by `wagate config`; do not edit.\n\n\
         Each setting is read from, the later winning: the default, the file `wagate.toml` \
         (or `--config FILE`), the environment, a flag. In the environment, `store.url` is \
         `WAGATE_STORE__URL`: upper case, `__` between the parts, `[\"a\",\"b\"]` for lists.\n\n\
         | key | default | what it does |\n|---|---|---|\n",
    );
    for (key, default, text) in SETTINGS {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{key}` | {default} | {text} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::Config;
    use super::*;

    fn keys(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
        let Value::Object(fields) = value else { return };
        for (name, value) in fields {
            let key = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            if value.is_object() {
                keys(&key, value, into);
            } else {
                into.insert(key);
            }
        }
    }

    #[test]
    fn every_setting_is_described_once() {
        let mut actual = BTreeSet::new();
        keys(
            "",
            &serde_json::to_value(Config::default()).unwrap(),
            &mut actual,
        );
        let described: Vec<_> = SETTINGS.iter().map(|(key, ..)| (*key).to_owned()).collect();
        assert_eq!(
            described.len(),
            described.iter().collect::<BTreeSet<_>>().len()
        );
        assert_eq!(described.into_iter().collect::<BTreeSet<_>>(), actual);
    }
}
