//! What must hold of every text from outside, for property tests and fuzz targets alike.
//!
//! Each function takes an input, reads it, and panics when a property does not hold.

use std::fmt::{Debug, Display};
use std::hash::{DefaultHasher, Hasher as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{
    ApiKeyId, ApiKeySecret, Cursor, CursorError, DeliveryId, EventId, EventSelector, GatewayId,
    Jid, OrganizationId, OutboxId, PhoneNumber, RequestId, SessionId, TicketId, WebhookId,
};

/// Longest JID: a group of the older form.
const MAX_JID_CHARS: usize = 20 + 1 + 20 + "@g.us".len();

/// Length of an id without its prefix.
const ULID_CHARS: usize = 26;

/// JIDs are kept as they were written, are short, and show nobody's number in logs.
pub fn jid(text: &str) {
    match text.parse::<Jid>() {
        Ok(jid) => {
            assert_eq!(jid.as_str(), text);
            assert_eq!(format!("{}@{}", jid.user(), jid.server()), text);
            assert_eq!(Jid::parse_lenient(text), Ok(jid.clone()));
            assert!(text.is_ascii() && text.len() <= MAX_JID_CHARS);
            assert!(!format!("{jid:?}").contains(jid.user()));
            same_in_json(&jid, text);
        }
        Err(_) => assert!(serde_json::from_value::<Jid>(text.into()).is_err()),
    }
    let number = text.parse::<PhoneNumber>();
    if let Ok(number) = &number {
        let digits = text.strip_prefix('+').unwrap_or(text);
        assert_eq!(number.as_str(), digits);
        assert_eq!(digits.parse(), Ok(number.clone()));
        let jid = Jid::from_phone(number);
        assert_eq!(Jid::parse_lenient(text), Ok(jid.clone()));
        assert_eq!(jid.as_str().parse(), Ok(jid.clone()));
        assert_eq!(jid.phone(), Some(digits));
    }
    let is_address = text.contains('@') && text.parse::<Jid>().is_ok();
    assert_eq!(
        Jid::parse_lenient(text).is_ok(),
        is_address || number.is_ok()
    );
}

/// Ids have one canonical text, and no text that differs in more than case stands for the same id.
pub fn id(text: &str) {
    prefixed::<SessionId>(text, SessionId::PREFIX);
    prefixed::<OrganizationId>(text, OrganizationId::PREFIX);
    prefixed::<EventId>(text, EventId::PREFIX);
    prefixed::<WebhookId>(text, WebhookId::PREFIX);
    prefixed::<DeliveryId>(text, DeliveryId::PREFIX);
    prefixed::<OutboxId>(text, OutboxId::PREFIX);
    prefixed::<ApiKeyId>(text, ApiKeyId::PREFIX);
    prefixed::<TicketId>(text, TicketId::PREFIX);
    prefixed::<RequestId>(text, RequestId::PREFIX);
    if let Ok(id) = text.parse::<GatewayId>() {
        assert_eq!(id.as_str(), text);
        assert!(text.len() <= 64);
        same_in_json(&id, text);
    }
    if let Ok(key) = text.parse::<ApiKeySecret>() {
        assert_eq!(key.reveal(), text);
        assert!(text.starts_with(&key.hint()));
    }
}

fn prefixed<T>(text: &str, prefix: &str)
where
    T: FromStr + Display + Debug + Eq + Serialize + DeserializeOwned,
    T::Err: Debug + PartialEq,
{
    let Ok(id) = text.parse::<T>() else {
        assert!(serde_json::from_value::<T>(text.into()).is_err());
        return;
    };
    let canonical = id.to_string();
    let bare = canonical
        .strip_prefix(prefix)
        .expect("ids show their prefix");
    assert_eq!(bare.len(), ULID_CHARS);
    let given = &text[text.len() - ULID_CHARS..];
    assert_eq!(given.to_ascii_uppercase(), bare);
    assert_eq!(canonical.parse::<T>().as_ref(), Ok(&id));
    same_in_json(&id, &canonical);
}

fn same_in_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
    let json = serde_json::to_value(value).expect("texts are JSON");
    assert_eq!(json, text);
    assert_eq!(serde_json::from_value::<T>(json).as_ref().ok(), Some(value));
}

/// A position as lists of rows have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RowPosition {
    is_pinned: bool,
    timestamp_ms: i64,
    id: i64,
}

const LISTS: [&str; 3] = ["", "chats", "chats/01J9ZX8K2QHV0M3T6R7P4N5W8C"];

/// Stands for the seal of a service: a tag that no input can be made to fit by chance.
pub(crate) fn seal(list: &[u8], json: &[u8]) -> Vec<u8> {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(list);
        hasher.write_u8(0);
        hasher.write(json);
        hasher.finish()
    };
    let tag = ((u128::from(half(1)) << 64) | u128::from(half(2))).to_be_bytes();
    [tag.as_slice(), json].concat()
}

/// What was sealed, where it was.
pub(crate) fn open(list: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let json = sealed.get(16..)?;
    (seal(list, json) == sealed).then(|| json.to_vec())
}

/// Cursors lead back to the same place of the same list, and only where they are genuine.
pub fn cursor(text: &str) {
    position::<(i64, i64)>(text);
    position::<RowPosition>(text);
    position::<DeliveryId>(text);
}

/// As [`cursor`], with what a genuine cursor holds inside.
pub fn cursor_content(content: &[u8]) {
    for list in LISTS {
        cursor(&URL_SAFE_NO_PAD.encode(seal(list.as_bytes(), content)));
    }
}

fn position<P: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let read = |list: &str, text: &str| Cursor::of(list).decode::<P>(text, open);
    let mut fitting = 0;
    for list in LISTS {
        if let Ok(position) = read(list, text) {
            fitting += 1;
            let again = Cursor::of(list).encode(&position, seal);
            assert_eq!(read(list, &again), Ok(position));
            assert_eq!(read("another", &again), Err(CursorError));
        }
    }
    assert!(fitting <= 1, "a cursor fits two lists");
}

/// A list of event names is understood as a whole, or its wrong names are pointed at.
pub fn event_selector(names: &[&str]) {
    match EventSelector::parse(names) {
        Ok(EventSelector::All) => assert!(names.contains(&"*")),
        Ok(EventSelector::Only(kinds)) => {
            let shown: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            assert!(names.iter().all(|name| shown.contains(name)));
            // In the order of the list, and each once.
            let mut rest = names.iter();
            assert!(shown.iter().all(|name| rest.any(|given| given == name)));
            assert_eq!(EventSelector::parse(&shown), Ok(EventSelector::Only(kinds)));
        }
        Err(wrong) => {
            assert!(!wrong.is_empty());
            for index in wrong {
                assert!(EventSelector::parse(&names[index..=index]).is_err());
            }
        }
    }
}
