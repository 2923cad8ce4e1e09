//! Comparing a tree with a schema, and telling every difference.

use serde_json::{Map, Value};
use wagate_model::Faults;

use super::parse::Place;
use super::schema::RequestSchema;
use super::{BODY, MAX_FAULTS};

/// Compares a body with its schema.
pub(super) fn check(value: &Value, schema: &RequestSchema) -> Result<(), Faults> {
    let mut found = Findings {
        schema,
        faults: Vec::new(),
        untold: 0,
    };
    found.compare(value, schema.root(), &Place::Root);
    found.faults.sort();
    let mut faults = Faults::new();
    for (field, message) in found.faults {
        faults.add(field, message);
    }
    if found.untold > 0 {
        faults.add(BODY, format!("has {} more faults", found.untold));
    }
    faults.into_result()
}

struct Findings<'s> {
    schema: &'s RequestSchema,
    faults: Vec<(String, String)>,
    untold: usize,
}

impl<'s> Findings<'s> {
    fn add(&mut self, place: &Place<'_>, message: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push((place.path(), message.into()));
        } else {
            self.untold += 1;
        }
    }

    fn compare(&mut self, value: &Value, schema: &'s Value, place: &Place<'_>) {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            if let Some(target) = self.schema.resolve(name) {
                self.compare(value, target, place);
            }
            return;
        }
        for parts in [schema.get("oneOf"), schema.get("anyOf")] {
            if let Some(Value::Array(variants)) = parts {
                self.compare_variants(value, variants, place);
                return;
            }
        }
        for part in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.compare(value, part, place);
        }
        if !has_type(value, schema) {
            self.add(place, expectation(schema));
            return;
        }
        let choices = schema.get("enum").and_then(Value::as_array);
        if let Some(choices) = choices
            && !value.is_null()
            && !choices.contains(value)
        {
            self.add(place, must_be_one_of(choices));
            return;
        }
        match value {
            Value::Object(members) => self.compare_members(members, schema, place),
            Value::Array(items) => {
                if let Some(item_schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.compare(item, item_schema, &Place::Item(place, index));
                    }
                }
            }
            _ => {}
        }
    }

    /// An optional object is "null or that": the only use of variants in request bodies.
    fn compare_variants(&mut self, value: &Value, variants: &'s [Value], place: &Place<'_>) {
        let is_null = |variant: &&Value| variant.get("type").is_some_and(|kind| kind == "null");
        if value.is_null() && variants.iter().any(|variant| is_null(&variant)) {
            return;
        }
        for variant in variants.iter().filter(|variant| !is_null(variant)) {
            self.compare(value, variant, place);
        }
    }

    fn compare_members(
        &mut self,
        members: &Map<String, Value>,
        schema: &'s Value,
        place: &Place<'_>,
    ) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (name, member) in members {
            let here = Place::Field(place, name);
            match (known.and_then(|known| known.get(name)), others) {
                (Some(schema), _) => self.compare(member, schema, &here),
                (None, Some(schema)) if schema.is_object() => self.compare(member, schema, &here),
                (None, Some(Value::Bool(true))) => {}
                (None, None) if known.is_none() => {}
                (None, _) => self.add(&here, "is not a known field"),
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.add(&Place::Field(place, name), "is required");
            }
        }
    }
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
