//! Opaque cursors of lists.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A cursor that this installation did not make, or for another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list")]
pub struct CursorError;

/// Proof of who made a cursor: nobody else can compute it.
pub type CursorTag = [u8; 16];

/// Longest cursor that is looked at, in characters.
const MAX_CHARS: usize = 512;

/// The text of positions in one list: base64url of a tag and the position as JSON.
///
/// The tag is computed over the list's name and the position, so that no cursor fits
/// another list. Who holds the key computes it; the name has to tell organizations apart.
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

    /// What the tag is computed over. JSON holds no NUL, so it can be read in one way only.
    pub(crate) fn signed(self, json: &[u8]) -> Vec<u8> {
        [self.list.as_bytes(), b"\0", json].concat()
    }

    /// Writes a position as an opaque text.
    ///
    /// # Panics
    ///
    /// Never: positions are plain data.
    #[must_use]
    pub fn encode(
        self,
        position: &impl Serialize,
        tag_of: impl FnOnce(&[u8]) -> CursorTag,
    ) -> String {
        let json = serde_json::to_vec(position).expect("positions are plain data");
        let tag = tag_of(&self.signed(&json));
        URL_SAFE_NO_PAD.encode([tag.as_slice(), &json].concat())
    }

    /// Reads the position back; anything else is an error, never a panic.
    pub fn decode<P: DeserializeOwned>(
        self,
        text: &str,
        is_genuine: impl FnOnce(&[u8], &CursorTag) -> bool,
    ) -> Result<P, CursorError> {
        if text.len() > MAX_CHARS {
            return Err(CursorError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (tag, json) = bytes.split_first_chunk().ok_or(CursorError)?;
        if !is_genuine(&self.signed(json), tag) {
            return Err(CursorError);
        }
        serde_json::from_slice(json).map_err(|_| CursorError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::fuzzing;

    fn tag(bytes: &[u8]) -> CursorTag {
        *Sha256::digest(bytes).first_chunk().unwrap()
    }

    fn read(list: &str, text: &str) -> Result<(i64, i64), CursorError> {
        Cursor::of(list).decode(text, |bytes, given| tag(bytes) == *given)
    }

    proptest! {
        #[test]
        fn positions_round_trip(time in any::<i64>(), id in any::<i64>()) {
            let text = Cursor::of("chats").encode(&(time, id), tag);
            prop_assert_eq!(read("chats", &text), Ok((time, id)));
            prop_assert_eq!(read("messages", &text), Err(CursorError));
        }

        #[test]
        fn changed_cursors_are_errors(bit in 0_usize..8 * 20) {
            let text = Cursor::of("chats").encode(&(1, 2), tag);
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
