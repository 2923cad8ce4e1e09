//! Opaque cursors of lists.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A cursor that this installation did not make, or for another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list")]
pub struct CursorError;

/// Longest cursor that is looked at, in characters.
const MAX_CHARS: usize = 512;

/// A position in a list, with the list's name so that no cursor fits another list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor<P> {
    #[serde(rename = "l")]
    list: String,
    #[serde(rename = "p")]
    position: P,
}

impl<P: Serialize + DeserializeOwned> Cursor<P> {
    /// Writes a position as an opaque text.
    ///
    /// # Panics
    ///
    /// Never: positions are plain data.
    #[must_use]
    pub fn encode(list: &str, position: P) -> String {
        let cursor = Self {
            list: list.to_owned(),
            position,
        };
        let json = serde_json::to_vec(&cursor).expect("positions are plain data");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// Reads the position back; anything else is an error, never a panic.
    pub fn decode(list: &str, text: &str) -> Result<P, CursorError> {
        if text.len() > MAX_CHARS {
            return Err(CursorError);
        }
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let cursor: Self = serde_json::from_slice(&json).map_err(|_| CursorError)?;
        if cursor.list == list {
            Ok(cursor.position)
        } else {
            Err(CursorError)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing;

    proptest! {
        #[test]
        fn positions_round_trip(time in any::<i64>(), id in any::<i64>()) {
            let text = Cursor::encode("chats", (time, id));
            prop_assert_eq!(Cursor::<(i64, i64)>::decode("chats", &text), Ok((time, id)));
            prop_assert_eq!(Cursor::<(i64, i64)>::decode("messages", &text), Err(CursorError));
        }

        #[test]
        fn forged_texts_are_errors(text in "\\PC{0,80}") {
            prop_assert!(Cursor::<(i64, i64)>::decode("chats", &text).is_err());
            fuzzing::cursor(&text);
        }

        #[test]
        fn whoever_makes_a_cursor_it_leads_to_one_place(
            list in "(chats)?",
            position in "\\[(true,)?-?[0-9]{1,20},[0-9]{1,3}\\]|\"dlv_[0-9A-Z]{26}\"|null",
            rest in "( |,\"x\":1|,\"l\":\"\")?",
        ) {
            let content = format!("{{\"l\":\"{list}\",\"p\":{position}{rest}}}");
            fuzzing::cursor_content(content.as_bytes());
        }
    }
}
