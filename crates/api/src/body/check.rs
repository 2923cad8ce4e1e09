//! Comparing a tree with a schema, telling every difference, and mending what does not fit.
//!
//! What does not fit is taken out, or an empty value is put in its place where something
//! has to stand there. So the rest can be read as its type and looked at in turn.

use serde_json::{Map, Number, Value};
use wagate_model::Faults;

use super::parse::Place;
use super::schema::RequestSchema;

/// Compares a body with its schema, notes every difference, and mends it.
///
/// Gives whether it can be read at all: it is of the type that the schema asks for.
pub(super) fn mend(value: &mut Value, schema: &RequestSchema, faults: &mut Faults) -> bool {
    let mut found = Findings { schema, faults };
    let is_readable = found.compare(value, schema.root(), &Place::Root);
    faults.sort();
    is_readable
}

struct Findings<'s> {
    schema: &'s RequestSchema,
    faults: &'s mut Faults,
}

impl<'s> Findings<'s> {
    /// Notes differences within a value; gives whether it can stay where it is.
    fn compare(&mut self, value: &mut Value, schema: &'s Value, place: &Place<'_>) -> bool {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return match self.schema.resolve(name) {
                Some(target) => self.compare(value, target, place),
                None => true,
            };
        }
        if let Some(variants) = variants(schema) {
            return self.compare_variants(value, variants, place);
        }
        if !has_type(value, schema) {
            self.faults
                .add_unreadable_at(|| place.path(), || expectation(schema).into());
            return false;
        }
        let choices = schema.get("enum").and_then(Value::as_array);
        if let Some(choices) = choices
            && !value.is_null()
            && !choices.contains(value)
        {
            self.faults
                .add_unreadable_at(|| place.path(), || must_be_one_of(choices));
            return false;
        }
        if let Some(message) = broken_limit(value, schema) {
            self.faults.add_at(|| place.path(), || message);
        }
        match value {
            Value::Object(members) => self.compare_members(members, schema, place),
            Value::Array(items) => {
                if let Some(item_schema) = schema.get("items") {
                    for (index, item) in items.iter_mut().enumerate() {
                        if !self.compare(item, item_schema, &Place::Item(place, index)) {
                            // The others keep their places.
                            *item = self.empty(item_schema);
                        }
                    }
                }
            }
            _ => {}
        }
        true
    }

    /// An optional object is "null or that": the only use of variants in request bodies.
    fn compare_variants(
        &mut self,
        value: &mut Value,
        variants: &'s [Value],
        place: &Place<'_>,
    ) -> bool {
        if value.is_null() && variants.iter().any(is_null) {
            return true;
        }
        let mut others = variants.iter().filter(|variant| !is_null(variant));
        others.all(|variant| self.compare(value, variant, place))
    }

    fn compare_members(
        &mut self,
        members: &mut Map<String, Value>,
        schema: &'s Value,
        place: &Place<'_>,
    ) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let is_open = others.map_or(known.is_none(), |others| others != &Value::Bool(false));
        let required: Vec<_> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        members.retain(|name, member| {
            let here = Place::Field(place, name);
            let is_known = known.is_some_and(|known| known.contains_key(name));
            let schema = match known.and_then(|known| known.get(name)) {
                Some(schema) => Some(schema),
                None if is_open => others.filter(|others| others.is_object()),
                None => {
                    self.faults
                        .add_at(|| here.path(), || "is not a known field".into());
                    return false;
                }
            };
            let Some(schema) = schema else {
                return true;
            };
            if self.compare(member, schema, &here) {
                return true;
            }
            if is_known && !required.contains(&name.as_str()) {
                return false;
            }
            *member = self.empty(schema);
            true
        });
        for name in required {
            if !members.contains_key(name) {
                let here = Place::Field(place, name);
                self.faults
                    .add_unreadable_at(|| here.path(), || "is required".into());
                let schema = known.and_then(|known| known.get(name));
                let empty = schema.map_or(Value::Null, |schema| self.empty(schema));
                members.insert(name.to_owned(), empty);
            }
        }
    }

    /// The least that a schema takes.
    fn empty(&self, schema: &Value) -> Value {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.schema.resolve(name);
            return target.map_or(Value::Null, |target| self.empty(target));
        }
        if let Some(variants) = variants(schema) {
            let is_nullable = variants.iter().any(is_null);
            return match variants.first() {
                Some(first) if !is_nullable => self.empty(first),
                _ => Value::Null,
            };
        }
        if let Some(Value::Array(choices)) = schema.get("enum") {
            return choices.first().cloned().unwrap_or_default();
        }
        let names = type_names(schema);
        if names.contains(&"null") {
            return Value::Null;
        }
        match names.first() {
            Some(&"boolean") => Value::Bool(false),
            Some(&"string") => Value::String(String::new()),
            Some(&("integer" | "number")) => Value::Number(Number::from(0)),
            Some(&"array") => Value::Array(Vec::new()),
            Some(&"object") => {
                let known = schema.get("properties").and_then(Value::as_object);
                let required = schema.get("required").and_then(Value::as_array);
                let names = required.into_iter().flatten().filter_map(Value::as_str);
                let members = names.filter_map(|name| {
                    let schema = known?.get(name)?;
                    Some((name.to_owned(), self.empty(schema)))
                });
                Value::Object(members.collect())
            }
            _ => Value::Null,
        }
    }
}

fn variants(schema: &Value) -> Option<&[Value]> {
    let found = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    found.as_array().map(Vec::as_slice)
}

fn is_null(variant: &Value) -> bool {
    variant.get("type").is_some_and(|kind| kind == "null")
}

fn type_names(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(value: &Value, schema: &Value) -> bool {
    let names = type_names(schema);
    names.is_empty()
        || names.into_iter().any(|name| match name {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "array" => value.is_array(),
            _ => value.is_object(),
        })
}

fn expectation(schema: &Value) -> &'static str {
    let names = type_names(schema);
    match names.into_iter().find(|name| *name != "null") {
        Some("boolean") => "must be true or false",
        Some("string") => "must be a string",
        Some("integer") => "must be an integer",
        Some("number") => "must be a number",
        Some("array") => "must be an array",
        _ => "must be an object",
    }
}

fn must_be_one_of(choices: &[Value]) -> String {
    let names: Vec<_> = choices.iter().filter_map(Value::as_str).collect();
    format!("must be one of: {}", names.join(", "))
}

/// What a value is too much or too little of; in the words of the types' own checks, so
/// that what both find is told once.
fn broken_limit(value: &Value, schema: &Value) -> Option<String> {
    let limit = |name| schema.get(name).and_then(Value::as_i64);
    let (min, max, unit) = match value {
        Value::Number(number) => {
            let (min, max) = (limit("minimum"), limit("maximum"));
            let number = number.as_i64()?;
            let is_within =
                min.is_none_or(|min| min <= number) && max.is_none_or(|max| number <= max);
            if is_within {
                return None;
            }
            return Some(match (min, max) {
                (Some(min), Some(max)) => format!("must be between {min} and {max}"),
                (Some(min), None) => format!("must be at least {min}"),
                (_, max) => format!("must be at most {}", max?),
            });
        }
        Value::String(_) => (limit("minLength"), limit("maxLength"), "characters"),
        Value::Array(_) => (limit("minItems"), limit("maxItems"), "entries"),
        Value::Object(_) => (limit("minProperties"), limit("maxProperties"), "entries"),
        Value::Null | Value::Bool(_) => return None,
    };
    if min.is_none() && max.is_none() {
        return None;
    }
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    match (min, max) {
        (Some(1), _) if size == 0 => Some("must not be empty".into()),
        (Some(min), _) if size < min => Some(format!("must have at least {min} {unit}")),
        (_, Some(max)) if size > max => Some(format!("must have at most {max} {unit}")),
        _ => None,
    }
}
