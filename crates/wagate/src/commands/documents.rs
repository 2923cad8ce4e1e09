//! Commands that print what the binary knows of itself.

use crate::print;

/// Prints the OpenAPI document.
pub(crate) fn openapi(yaml: bool) -> anyhow::Result<()> {
    let document = wagate_api::openapi();
    let text = if yaml {
        document.to_yaml()?
    } else {
        document.to_pretty_json()?
    };
    print(text.trim_end())
}

/// Prints the version, and whether the binary may be used for real.
pub(crate) fn version() -> anyhow::Result<()> {
    let kind = if wagate_engine::verifies_certificate_chain() {
        "production build: verifies WhatsApp's certificate chain"
    } else {
        "SANDBOX build: talks to the simulator only"
    };
    print(format!("wagate {} ({kind})", env!("CARGO_PKG_VERSION")))
}
