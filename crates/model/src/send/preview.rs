//! What a text shows of the page that it links to.

use serde::{Deserialize, Serialize};

/// What a text shows of the page that it links to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkPreview {
    /// The link as it stands in the text.
    pub matched_text: String,
    /// The page's title.
    pub title: String,
    /// What the page says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its picture, small, as JPEG in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
}

// What people link to must not reach logs by `{:?}`.
impl std::fmt::Debug for LinkPreview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkPreview(…)")
    }
}
