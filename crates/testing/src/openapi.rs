//! The OpenAPI document as a judge of every answer.

use std::collections::HashMap;
use std::sync::Mutex;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::covered;

/// The service's own OpenAPI document.
#[derive(Debug)]
pub struct Contract {
    document: Value,
    validators: Mutex<HashMap<String, std::sync::Arc<Validator>>>,
}

impl Contract {
    /// Takes the document.
    #[must_use]
    pub fn new(document: Value) -> Self {
        Self {
            document,
            validators: Mutex::default(),
        }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every operation: method, path template, and its description.
    ///
    /// # Panics
    ///
    /// When the document has no paths.
    pub fn operations(&self) -> impl Iterator<Item = (Method, &str, &Value)> {
        let paths = self.document["paths"]
            .as_object()
            .expect("the document has paths");
        paths.iter().flat_map(|(path, methods)| {
            methods
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(method, operation)| {
                    let method = method.to_ascii_uppercase().parse().ok()?;
                    operation["operationId"].is_string().then_some((
                        method,
                        path.as_str(),
                        operation,
                    ))
                })
        })
    }

    /// The template that a concrete path matches best: the one with the most literal text.
    fn template(&self, method: &Method, path: &str) -> Option<&str> {
        let path = path.split('?').next().unwrap_or_default();
        let candidates = self
            .operations()
            .filter(|(m, template, _)| m == method && fits(template, path));
        candidates
            .map(|(_, template, _)| template)
            .max_by_key(|template| {
                template
                    .split('/')
                    .filter(|part| !part.contains('{'))
                    .count()
                    * 100
                    + literal(template)
            })
    }

    /// Checks an answer against the document.
    ///
    /// # Panics
    ///
    /// When the document does not allow the answer; that is what it is for.
    pub fn check(&self, method: &Method, path: &str, status: u16, content_type: &str, body: &[u8]) {
        let Some(template) = self.template(method, path) else {
            assert!(
                status == 404 || status == 405,
                "{method} {path} is not in the document, and answered {status}"
            );
            return;
        };
        let pointer = template.replace('~', "~0").replace('/', "~1");
        let name = method.as_str().to_ascii_lowercase();
        if (200..300).contains(&status)
            && let Some(operation) = self
                .document
                .pointer(&format!("/paths/{pointer}/{name}/operationId"))
                .and_then(Value::as_str)
        {
            covered::note("operation", operation);
        }
        let responses = self
            .document
            .pointer(&format!("/paths/{pointer}/{name}/responses"))
            .and_then(Value::as_object)
            .unwrap_or_else(|| panic!("{method} {template} has no responses in the document"));
        let key = status.to_string();
        let key = if responses.contains_key(&key) {
            key
        } else {
            "default".to_owned()
        };
        let response = responses.get(&key).unwrap_or_else(|| {
            panic!("{method} {template} answered {status}, which the document does not name")
        });
        let mut described = response;
        if let Some(reference) = response["$ref"].as_str() {
            described = self.document.pointer(&reference[1..]).unwrap_or(response);
        }
        let Some(content) = described["content"]
            .as_object()
            .filter(|content| !content.is_empty())
        else {
            assert!(
                body.is_empty(),
                "{method} {template} {status} must have no body"
            );
            return;
        };
        let kind = content_type.split(';').next().unwrap_or_default();
        let media = content
            .get(kind)
            // A file of a message has the type that its sender gave it.
            .or_else(|| content.get("*/*"))
            .unwrap_or_else(|| panic!("{method} {template} {status} answered with {kind}"));
        if kind == "application/json" && media["schema"].is_object() {
            let value: Value = serde_json::from_slice(body).expect("a JSON answer is JSON");
            self.validate(
                &format!("{name} {template} {key}"),
                &media["schema"],
                &value,
            );
        }
    }

    fn validate(&self, cache_key: &str, schema: &Value, value: &Value) {
        let validator = {
            let mut validators = self
                .validators
                .lock()
                .expect("no validation panics under the lock");
            let entry = validators.entry(cache_key.to_owned()).or_insert_with(|| {
                let mut schema = schema.clone();
                schema["components"] = self.document["components"].clone();
                let validator = jsonschema::validator_for(&schema)
                    .unwrap_or_else(|error| panic!("the schema of {cache_key}: {error}"));
                std::sync::Arc::new(validator)
            });
            std::sync::Arc::clone(entry)
        };
        let faults: Vec<_> = validator
            .iter_errors(value)
            .map(|fault| {
                json!({
                    "at": fault.instance_path().to_string(), "fault": fault.to_string(),
                })
            })
            .collect();
        assert!(faults.is_empty(), "{cache_key}: {faults:#?}\nin {value:#}");
    }
}

fn literal(template: &str) -> usize {
    let mut depth = 0;
    template
        .chars()
        .filter(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => return depth == 0,
            }
            false
        })
        .count()
}

/// Whether a path matches a template such as `/sessions/{session}:start`.
fn fits(template: &str, path: &str) -> bool {
    let (templates, parts): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    templates.len() == parts.len() && templates.iter().zip(&parts).all(|(t, p)| part_fits(t, p))
}

fn part_fits(template: &str, part: &str) -> bool {
    let Some((before, rest)) = template.split_once('{') else {
        return template == part;
    };
    let Some((_, after)) = rest.split_once('}') else {
        return false;
    };
    part.len() > before.len() + after.len()
        && part.starts_with(before)
        && part.ends_with(after)
        && (!after.is_empty() || !before.is_empty() || !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_literal_template_wins() {
        let contract = Contract::new(json!({"paths": {
            "/s/{id}": {"post": {"operationId": "a"}},
            "/s/{id}:start": {"post": {"operationId": "b"}},
        }}));
        assert_eq!(
            contract.template(&Method::POST, "/s/1:start?x=1"),
            Some("/s/{id}:start")
        );
        assert_eq!(contract.template(&Method::POST, "/s/1"), Some("/s/{id}"));
        assert_eq!(contract.template(&Method::GET, "/s/1"), None);
    }
}
