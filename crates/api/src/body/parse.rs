//! Parsing that notices duplicate keys, depth and number of values, which serde's own tree
//! hides.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use wagate_model::Faults;

use super::BODY;

/// Deepest nesting of a body.
const MAX_DEPTH: usize = 64;

const TOO_DEEP: &str = "is nested more than 64 levels deep";

/// Most values of a body: each takes many times the memory of the byte that it may be.
const MAX_VALUES: u32 = 100_000;

const TOO_MANY: &str = "has more than 100000 values";

/// Longest part of a path that a fault names, in characters.
const MAX_PART_CHARS: usize = 64;

/// Where in a body something is.
pub(super) enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl Place<'_> {
    /// The path as faults name it, such as `retryPolicy.attempts` or `events[1]`.
    pub(super) fn path(&self) -> String {
        #[cfg(test)]
        PATHS_MADE.set(PATHS_MADE.get() + 1);
        let mut path = String::new();
        self.write(&mut path);
        path
    }

    /// Each level writes its own part only: a path costs as much as it is long.
    fn write(&self, path: &mut String) {
        match self {
            Self::Root => path.push_str(BODY),
            Self::Field(parent, name) => {
                if !matches!(parent, Place::Root) {
                    parent.write(path);
                    path.push('.');
                }
                path.extend(name.chars().take(MAX_PART_CHARS));
            }
            Self::Item(parent, index) => {
                parent.write(path);
                // Writing into a string does not fail.
                let _ = write!(path, "[{index}]");
            }
        }
    }
}

#[cfg(test)]
thread_local! {
    /// How many paths this thread has made, for tests of what a request can cost.
    pub(super) static PATHS_MADE: Cell<usize> = const { Cell::new(0) };
}

/// Parses a body into a tree; keys that are given twice are faults, and the first counts.
pub(super) fn parse(bytes: &[u8]) -> Result<(Value, Faults), Faults> {
    let text = std::str::from_utf8(bytes).map_err(|_| Faults::one(BODY, "is not UTF-8"))?;
    let notes = Notes {
        faults: RefCell::default(),
        values: Cell::new(0),
        refusal: Cell::new(None),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let node = Node {
        depth: 0,
        place: &Place::Root,
        notes: &notes,
    };
    let value = node
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| match notes.refusal.get() {
            Some(refusal) => Faults::one(BODY, refusal),
            None => Faults::one(BODY, format!("is not valid JSON: {error}")),
        })?;
    Ok((value, notes.faults.into_inner()))
}

/// What is noted on the way.
struct Notes {
    faults: RefCell<Faults>,
    values: Cell<u32>,
    /// Why the rest is not looked at.
    refusal: Cell<Option<&'static str>>,
}

impl Notes {
    fn refuse<E: serde::de::Error>(&self, why: &'static str) -> E {
        self.refusal.set(Some(why));
        E::custom(why)
    }
}

struct Node<'p> {
    depth: usize,
    place: &'p Place<'p>,
    notes: &'p Notes,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let count = self.notes.values.get() + 1;
        self.notes.values.set(count);
        if count > MAX_VALUES {
            return Err(self.notes.refuse(TOO_MANY));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        if self.depth == MAX_DEPTH {
            return Err(self.notes.refuse(TOO_DEEP));
        }
        let mut values = Vec::new();
        loop {
            let place = Place::Item(self.place, values.len());
            let node = Node {
                depth: self.depth + 1,
                place: &place,
                notes: self.notes,
            };
            match items.next_element_seed(node)? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        if self.depth == MAX_DEPTH {
            return Err(self.notes.refuse(TOO_DEEP));
        }
        let mut map = Map::new();
        let mut repeated = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            let place = Place::Field(self.place, &name);
            let node = Node {
                depth: self.depth + 1,
                place: &place,
                notes: self.notes,
            };
            let value = members.next_value_seed(node)?;
            if map.contains_key(&name) {
                // A name that is given a thousand times is one fault, and costs one path.
                if !repeated.contains(&name) {
                    let mut faults = self.notes.faults.borrow_mut();
                    faults.add_at(|| place.path(), || "is given twice".into());
                    repeated.insert(name);
                }
            } else {
                map.insert(name, value);
            }
        }
        Ok(Value::Object(map))
    }
}
