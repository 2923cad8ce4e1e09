//! `Debug` that shows nothing of what people say, who they are, or what lets somebody in.

/// Implements `Debug` for types whose contents must not reach logs by way of `{:?}`: texts,
/// names, numbers, addresses, tokens and keys.
///
/// Of a type alone its name is shown, as `Message(…)`. Fields that are named with it are shown
/// too, as `Message { id: …, .. }`: only what says nothing of anybody, such as ids, kinds, times
/// and counts. A field that is added to a type later stays hidden, as it is not named.
///
/// ```
/// use wagate_model::hide_contents;
///
/// struct Secret(&'static str);
/// struct Note {
///     id: u8,
///     text: &'static str,
/// }
///
/// // What people write must not reach logs.
/// hide_contents!(Secret, Note { id });
///
/// let note = Note { id: 7, text: "see you at eight" };
/// assert_eq!(format!("{note:?}"), "Note { id: 7, .. }");
/// assert_eq!(format!("{:?}", Secret("1234")), "Secret(…)");
/// # let _ = (note.text, Secret("1234").0);
/// ```
#[macro_export]
macro_rules! hide_contents {
    ($($type:ident $({ $($field:ident),+ $(,)? })?),+ $(,)?) => {$(
        impl ::std::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::hide_contents!(@shown self, f, $type $({ $($field),+ })?)
            }
        }
    )+};
    (@shown $self:ident, $f:ident, $type:ident) => {
        $f.write_str(concat!(stringify!($type), "(…)"))
    };
    (@shown $self:ident, $f:ident, $type:ident { $($field:ident),+ }) => {
        $f.debug_struct(stringify!($type))
            $(.field(stringify!($field), &$self.$field))+
            .finish_non_exhaustive()
    };
}

#[cfg(test)]
mod tests {
    use crate::{PairingCode, Qr, SendRequest};

    struct Letter {
        id: u8,
        is_read: bool,
        text: &'static str,
    }

    struct Password(&'static str);

    hide_contents!(Letter { id, is_read }, Password);

    #[test]
    fn only_fields_that_are_named_are_shown() {
        let letter = Letter {
            id: 7,
            is_read: true,
            text: "dear Ann",
        };
        let shown = format!("{letter:?}");
        assert_eq!(shown, "Letter { id: 7, is_read: true, .. }");
        assert!(!shown.contains(letter.text));
    }

    #[test]
    fn a_type_alone_shows_its_name_only() {
        let password = Password("open sesame");
        assert_eq!(format!("{password:?}"), "Password(…)");
        assert!(!password.0.is_empty());
    }

    #[test]
    fn what_people_send_and_pair_with_is_hidden() {
        let body = serde_json::json!({ "type": "text", "to": "15551234567", "text": "dear Ann" });
        let request: SendRequest = serde_json::from_value(body).unwrap();
        assert_eq!(format!("{request:?}"), "SendRequest { kind: Text, .. }");
        let qr = Qr {
            code: "2@secret".to_owned(),
            expires_at: Some(5),
        };
        assert_eq!(format!("{qr:?}"), "Qr { expires_at: Some(5), .. }");
        let code = PairingCode {
            code: "ABCD-1234".to_owned(),
        };
        assert_eq!(format!("{code:?}"), "PairingCode(…)");
    }
}
