//! Opaque cursors of lists.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A cursor that this installation did not make, or for another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list")]
pub struct CursorError;

/// Longest cursor that is looked at, in characters.
const MAX_CHARS: usize = 512;

/// The text of positions in one list: base64url of the position as JSON, sealed by whoever
/// holds the key.
///
/// A position holds numbers of rows, which would tell how much others have. The seal is bound
/// to the list's name, so that no cursor fits another list; the name has to tell organizations
/// apart.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'l> {
    list: &'l str,
}

impl<'l> Cursor<'l> {
    /// Cursors of the list with a name.
    #[must_use]
    pub const fn of(list: &'l str) -> Self {
        Self { list }
    }

    /// Writes a position as an opaque text; `seal` is given the list's name and the plain bytes.
    ///
    /// # Panics
    ///
    /// Never: positions are plain data.
    #[must_use]
    pub fn encode(
        self,
        position: &impl Serialize,
        seal: impl FnOnce(&[u8], &[u8]) -> Vec<u8>,
    ) -> String {
        let json = serde_json::to_vec(position).expect("positions are plain data");
        URL_SAFE_NO_PAD.encode(seal(self.list.as_bytes(), &json))
    }

    /// Reads the position back; anything else is an error, never a panic. `open` is given the
    /// list's name and the sealed bytes.
    pub fn decode<P: DeserializeOwned>(
        self,
        text: &str,
        open: impl FnOnce(&[u8], &[u8]) -> Option<Vec<u8>>,
    ) -> Result<P, CursorError> {
        if text.len() > MAX_CHARS {
            return Err(CursorError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let json = open(self.list.as_bytes(), &bytes).ok_or(CursorError)?;
        serde_json::from_slice(&json).map_err(|_| CursorError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::{self, open, seal};

    fn read(list: &str, text: &str) -> Result<(i64, i64), CursorError> {
        Cursor::of(list).decode(text, open)
    }

    proptest! {
        #[test]
        fn positions_round_trip(time in any::<i64>(), id in any::<i64>()) {
            let text = Cursor::of("chats").encode(&(time, id), seal);
            prop_assert_eq!(read("chats", &text), Ok((time, id)));
            prop_assert_eq!(read("messages", &text), Err(CursorError));
        }

        #[test]
        fn changed_cursors_are_errors(bit in 0_usize..8 * 20) {
            let text = Cursor::of("chats").encode(&(1, 2), seal);
            let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read("chats", &URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }

        #[test]
        fn forged_texts_are_errors(text in "\\PC{0,80}") {
            prop_assert!(read("chats", &text).is_err());
            fuzzing::cursor(&text);
        }

        #[test]
        fn whoever_makes_a_cursor_it_leads_to_one_place(
            list in "(chats)?",
            position in "\\[(true,)?-?[0-9]{1,20},[0-9]{1,3}\\]|\"dlv_[0-9A-Z]{26}\"|null",
            rest in "( |,1)?",
        ) {
            fuzzing::cursor(&list);
            fuzzing::cursor_content(format!("{position}{rest}").as_bytes());
        }
    }
}
