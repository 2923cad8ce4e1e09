//! Identifiers: ULIDs with a type, and in most places a visible prefix.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// Why a text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The prefix is another kind's, or missing where it is needed.
    #[error("expected an id that begins with `{expected}`")]
    Prefix {
        /// The prefix of the expected kind.
        expected: &'static str,
    },
    /// The part after the prefix is not a ULID.
    #[error("expected 26 characters of Crockford base 32 (a ULID)")]
    Ulid,
}

/// A fresh id for a message of ours, of 72 random bits, which keep ids of many senders apart.
///
/// The form is WhatsApp Web's: `3EB0` and 18 hexadecimal digits (source: wacore's
/// `RequestUtils::generate_message_id`).
#[must_use]
pub fn message_id(random: [u8; 9]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    random.iter().fold(String::from("3EB0"), |mut id, byte| {
        id.push(char::from(DIGITS[usize::from(byte >> 4)]));
        id.push(char::from(DIGITS[usize::from(byte & 0x0F)]));
        id
    })
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, shown: $shown:literal, accepted: $accepted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// What stands before the ULID when the id is shown.
            pub const PREFIX: &'static str = $shown;

            /// Makes the id of a ULID that the caller drew.
            #[must_use]
            pub const fn new(ulid: Ulid) -> Self {
                Self(ulid)
            }

            /// Makes an id from milliseconds since 1970 and 80 random bits.
            #[must_use]
            pub const fn from_parts(timestamp_ms: u64, random: u128) -> Self {
                Self(Ulid::from_parts(timestamp_ms, random))
            }

            /// The ULID without its prefix.
            #[must_use]
            pub const fn ulid(&self) -> Ulid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                f.write_str($shown)?;
                f.write_str(self.0.array_to_str(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bare = match text.strip_prefix($accepted) {
                    Some(bare) => bare,
                    None if $shown.is_empty() => text,
                    None => return Err(IdError::Prefix { expected: $shown }),
                };
                // 26 characters hold 130 bits. What the first one has above 128 would be
                // dropped, and several texts would stand for one id.
                if bare.len() != ulid::ULID_LEN || bare.as_bytes()[0] > b'7' {
                    return Err(IdError::Ulid);
                }
                Ulid::from_string(bare).map(Self).map_err(|_| IdError::Ulid)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                <String as utoipa::PartialSchema>::schema()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

ulid_id!(
    /// A session: a slot for one WhatsApp number. Shown bare; `sess_` is accepted too.
    SessionId, shown: "", accepted: "sess_"
);
ulid_id!(
    /// A message's file.
    MediaId, shown: "med_", accepted: "med_"
);
ulid_id!(
    /// A file that waits to be sent.
    AttachmentId, shown: "att_", accepted: "att_"
);
ulid_id!(
    /// A job that pulls contacts and groups again.
    BackfillId, shown: "bkf_", accepted: "bkf_"
);
ulid_id!(
    /// A bucket in which an organization keeps files.
    BucketId, shown: "bkt_", accepted: "bkt_"
);
ulid_id!(
    /// An organization (tenant).
    OrganizationId, shown: "org_", accepted: "org_"
);
ulid_id!(
    /// An event; sorts in the order in which the organization's events were committed.
    EventId, shown: "evt_", accepted: "evt_"
);
ulid_id!(
    /// A webhook.
    WebhookId, shown: "wh_", accepted: "wh_"
);
ulid_id!(
    /// One event on its way to one webhook.
    DeliveryId, shown: "dlv_", accepted: "dlv_"
);
ulid_id!(
    /// A message on its way out.
    OutboxId, shown: "out_", accepted: "out_"
);
ulid_id!(
    /// An API key (its record, not its secret).
    ApiKeyId, shown: "key_", accepted: "key_"
);
ulid_id!(
    /// A ticket that opens one realtime socket.
    TicketId, shown: "rtk_", accepted: "rtk_"
);
ulid_id!(
    /// A person who can sign in.
    UserId, shown: "user_", accepted: "user_"
);
ulid_id!(
    /// A browser that a person signed in with.
    LoginId, shown: "login_", accepted: "login_"
);
ulid_id!(
    /// An invitation into an organization.
    InvitationId, shown: "inv_", accepted: "inv_"
);
ulid_id!(
    /// A line of the audit log.
    AuditId, shown: "aud_", accepted: "aud_"
);
ulid_id!(
    /// A key that login tokens are signed with.
    TokenKeyId, shown: "tk_", accepted: "tk_"
);
ulid_id!(
    /// A request, where the caller did not name it.
    RequestId, shown: "req_", accepted: "req_"
);

/// The name of a gateway process: 1 to 64 of `a-z A-Z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[schema(value_type = String)]
pub struct GatewayId(String);

impl GatewayId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for GatewayId {
    type Err = GatewayNameError;

    fn from_str(text: &str) -> Result<Self, GatewayNameError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > 64 || !text.chars().all(is_allowed) {
            return Err(GatewayNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for GatewayId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The text is not a gateway name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`")]
pub struct GatewayNameError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn session_ids_are_shown_bare_and_read_with_or_without_prefix() {
        let id: SessionId = "01J9ZX8K2QHV0M3T6R7P4N5W8C".parse().unwrap();
        assert_eq!(id.to_string(), "01J9ZX8K2QHV0M3T6R7P4N5W8C");
        assert_eq!("sess_01J9ZX8K2QHV0M3T6R7P4N5W8C".parse(), Ok(id));
    }

    #[test]
    fn more_than_128_bits_are_refused() {
        assert!("7ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<SessionId>().is_ok());
        for text in ["8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "zzzzzzzzzzzzzzzzzzzzzzzzzz"] {
            assert_eq!(text.parse::<SessionId>(), Err(IdError::Ulid));
        }
    }

    #[test]
    fn another_kinds_prefix_is_refused() {
        let text = "wh_01J9ZX8K2QHV0M3T6R7P4N5W8C";
        assert_eq!(
            text.parse::<EventId>(),
            Err(IdError::Prefix { expected: "evt_" })
        );
        assert_eq!(text.parse::<SessionId>(), Err(IdError::Ulid));
    }

    proptest! {
        #[test]
        fn ids_round_trip(time in 0_u64..(1 << 48), random in any::<u128>()) {
            let id = EventId::from_parts(time, random & ((1 << 80) - 1));
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        }

        #[test]
        fn an_id_is_written_back_but_for_case(
            text in ".{0,64}",
            prefix in "(sess|org|evt|wh|dlv|out|key|rtk|req|user|login|inv|aud|tk)?_?",
            ulid in "[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}|[0-9A-Z]{25,27}",
            key in "wa_[0-9A-Za-z_-]{43}",
        ) {
            crate::fuzzing::id(&text);
            crate::fuzzing::id(&format!("{prefix}{ulid}"));
            crate::fuzzing::id(&key);
        }

        #[test]
        fn ids_sort_as_their_texts(a in any::<(u32, u64)>(), b in any::<(u32, u64)>()) {
            let a = EventId::from_parts(u64::from(a.0), u128::from(a.1));
            let b = EventId::from_parts(u64::from(b.0), u128::from(b.1));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
