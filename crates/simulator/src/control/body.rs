//! Reading a JSON object field by field, so that all its faults are told at once.

use serde_json::{Map, Value};

use crate::phone::{FieldError, PhoneError};

/// A JSON object that is being read; what is left at the end is unknown.
pub(crate) struct Body {
    fields: Map<String, Value>,
    prefix: String,
    faults: Vec<FieldError>,
}

impl Body {
    /// Parses a request's body; nothing at all is an empty object.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PhoneError> {
        let fields = if bytes.is_empty() {
            Map::new()
        } else {
            match serde_json::from_slice(bytes) {
                Ok(Value::Object(fields)) => fields,
                Ok(_) => return Err(PhoneError::invalid("body", "expected a JSON object")),
                Err(_) => return Err(PhoneError::invalid("body", "expected valid JSON")),
            }
        };
        Ok(Self {
            fields,
            prefix: String::new(),
            faults: Vec::new(),
        })
    }

    /// Takes an optional string.
    pub(crate) fn string(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => self.fault(name, "expected a string"),
        }
    }

    /// Takes a string that must be there.
    pub(crate) fn required_string(&mut self, name: &str) -> String {
        self.require(name);
        self.string(name).unwrap_or_default()
    }

    /// Takes an optional list of strings.
    pub(crate) fn strings(&mut self, name: &str) -> Option<Vec<String>> {
        let Value::Array(values) = self.take(name)? else {
            return self.fault(name, "expected a list of strings");
        };
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            match value {
                Value::String(text) => texts.push(text),
                _ => return self.fault(name, "expected a list of strings"),
            }
        }
        Some(texts)
    }

    /// Takes an optional number.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        match self.take(name)?.as_f64() {
            Some(number) => Some(number),
            None => self.fault(name, "expected a number"),
        }
    }

    /// Takes a number that must be there.
    pub(crate) fn required_number(&mut self, name: &str) -> f64 {
        self.require(name);
        self.number(name).unwrap_or_default()
    }

    /// Takes an optional whole number that fits into `T`.
    pub(crate) fn integer<T: TryFrom<i64>>(&mut self, name: &str) -> Option<T> {
        let number = self.take(name)?.as_i64().map(T::try_from);
        match number {
            Some(Ok(number)) => Some(number),
            _ => self.fault(name, "expected a whole number in range"),
        }
    }

    /// Takes an optional truth value.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(value) => Some(value),
            _ => self.fault(name, "expected true or false"),
        }
    }

    /// Takes an optional word out of a closed set.
    pub(crate) fn word<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.take(name)?;
        match serde_json::from_value(value) {
            Ok(word) => Some(word),
            Err(_) => self.fault(name, "is not one of the known values"),
        }
    }

    /// Takes an optional object; give it back with [`Body::absorb`].
    pub(crate) fn object(&mut self, name: &str) -> Option<Self> {
        match self.take(name)? {
            Value::Object(fields) => Some(Self {
                fields,
                prefix: format!("{}{name}.", self.prefix),
                faults: Vec::new(),
            }),
            _ => self.fault(name, "expected an object"),
        }
    }

    /// Takes an optional list of objects; give each back with [`Body::absorb`].
    pub(crate) fn objects(&mut self, name: &str) -> Option<Vec<Self>> {
        let Value::Array(values) = self.take(name)? else {
            return self.fault(name, "expected a list of objects");
        };
        let mut objects = Vec::with_capacity(values.len());
        for (place, value) in values.into_iter().enumerate() {
            let Value::Object(fields) = value else {
                return self.fault(name, "expected a list of objects");
            };
            objects.push(Self {
                fields,
                prefix: format!("{}{name}[{place}].", self.prefix),
                faults: Vec::new(),
            });
        }
        Some(objects)
    }

    /// Adds the faults of an inner object.
    pub(crate) fn absorb(&mut self, mut inner: Self) {
        inner.name_unknown();
        self.faults.append(&mut inner.faults);
    }

    /// Notes a fault that only the caller can see.
    pub(crate) fn fault<T>(&mut self, name: &str, message: &str) -> Option<T> {
        let field = format!("{}{name}", self.prefix);
        self.faults.push(FieldError::new(field, message));
        None
    }

    /// Notes that a field is missing unless it is there.
    pub(crate) fn require(&mut self, name: &str) {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.fault::<()>(name, "is required");
        }
    }

    /// Ends the reading: fails with every fault, unknown fields included.
    pub(crate) fn finish(mut self) -> Result<(), PhoneError> {
        self.name_unknown();
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(PhoneError::Invalid(self.faults))
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    fn name_unknown(&mut self) {
        for (name, value) in std::mem::take(&mut self.fields) {
            // A field of another kind may be there without a value, as clients write it.
            if !value.is_null() {
                self.fault::<()>(&name, "is not a known field");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_once() {
        let mut body =
            Body::parse(br#"{"a":1,"list":["x",2],"inner":{"z":1},"odd":true,"none":null}"#)
                .unwrap();
        assert_eq!(body.string("a"), None);
        assert_eq!(body.strings("list"), None);
        assert_eq!(body.string("none"), None);
        body.required_string("missing");
        let inner = body.object("inner").unwrap();
        body.absorb(inner);
        let Err(PhoneError::Invalid(faults)) = body.finish() else {
            panic!("accepted a faulty body");
        };
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["a", "list", "missing", "inner.z", "odd"]);
    }

    #[test]
    fn a_good_body_is_read() {
        let mut body = Body::parse(br#"{"n":3,"f":1.5,"b":true,"s":"x"}"#).unwrap();
        assert_eq!(body.integer::<u16>("n"), Some(3));
        assert_eq!(body.number("f"), Some(1.5));
        assert_eq!(body.boolean("b"), Some(true));
        assert_eq!(body.required_string("s"), "x");
        assert!(body.finish().is_ok());
        assert!(Body::parse(b"[]").is_err());
        assert!(Body::parse(b"").unwrap().finish().is_ok());
    }
}
