//! The schemas of request bodies, as in the OpenAPI document.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde_json::Value;

use super::RequestBody;

/// The schema of one body with all that it refers to.
pub(super) struct RequestSchema {
    root: Value,
    parts: HashMap<String, Value>,
}

impl RequestSchema {
    fn of<T: RequestBody>() -> Self {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        let json = |schema| serde_json::to_value(schema).unwrap_or_default();
        Self {
            root: json(T::schema()),
            parts: parts
                .into_iter()
                .map(|(name, schema)| (name, json(schema)))
                .collect(),
        }
    }

    pub(super) const fn root(&self) -> &Value {
        &self.root
    }

    /// The schema behind a reference.
    pub(super) fn resolve(&self, reference: &str) -> Option<&Value> {
        let name = reference.strip_prefix("#/components/schemas/")?;
        self.parts.get(name)
    }
}

/// The schema of a body; made once.
pub(super) fn of<T: RequestBody>() -> Arc<RequestSchema> {
    static MADE: LazyLock<RwLock<HashMap<TypeId, Arc<RequestSchema>>>> =
        LazyLock::new(RwLock::default);
    let id = TypeId::of::<T>();
    if let Some(schema) = MADE.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
        return Arc::clone(schema);
    }
    let schema = Arc::new(RequestSchema::of::<T>());
    MADE.write()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id, Arc::clone(&schema));
    schema
}
