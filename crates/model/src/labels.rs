//! Labels: how a business sorts its chats and messages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{Faults, hide_contents};

/// A label, as clients see it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// The number of its colour: 0 to 19.
    pub color: i64,
    /// WhatsApp's id of the label: digits.
    pub id: String,
    /// Its name.
    pub name: String,
}

// Names of labels are texts of people's own.
hide_contents!(Label { id });

/// The labels of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListLabel {
    /// The labels in the order of their ids.
    pub data: Vec<Label>,
}

/// The body of `createLabel`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateLabelInputBody)]
pub struct CreateLabelInput {
    /// The number of its colour: 0 to 19; without it, the first that no label has.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 19)]
    pub color: Option<i64>,
    /// The label's name: 1 to 100 characters.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: Option<String>,
}

/// The body of `updateLabel`; what is left out stays as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateLabelInputBody)]
pub struct UpdateLabelInput {
    /// The number of its colour: 0 to 19.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 19)]
    pub color: Option<i64>,
    /// The label's name: 1 to 100 characters.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: Option<String>,
}

impl CreateLabelInput {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        if self.name.is_none() {
            faults.add("name", "is required");
        }
        check(self.name.as_deref(), self.color, faults);
    }
}

impl UpdateLabelInput {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        check(self.name.as_deref(), self.color, faults);
    }
}

fn check(name: Option<&str>, color: Option<i64>, faults: &mut Faults) {
    if let Some(name) = name {
        faults.check_name("name", name, limits::LABEL_NAME_CHARS);
    }
    let is_color = color.is_none_or(|color| (0..limits::LABEL_COLORS).contains(&color));
    faults.check(is_color, "color", || {
        format!("must be 0 to {}", limits::LABEL_COLORS - 1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(check: impl FnOnce(&mut Faults)) -> Vec<String> {
        let mut faults = Faults::new();
        check(&mut faults);
        let faults = faults.into_vec().into_iter();
        faults.map(|fault| fault.field).collect()
    }

    #[test]
    fn names_and_colours_are_bounded() {
        for (name, color, expected) in [
            (Some("New customer"), None, &[][..]),
            (Some("x"), Some(19), &[]),
            (Some("x"), Some(20), &["color"]),
            (Some(" "), Some(-1), &["name", "color"]),
            (Some(&*"n".repeat(101)), Some(0), &["name"]),
            (None, Some(3), &["name"]),
        ] {
            let create = CreateLabelInput {
                name: name.map(str::to_owned),
                color,
            };
            assert_eq!(fields(|faults| create.check(faults)), expected, "{color:?}");
        }
        let none = UpdateLabelInput {
            name: None,
            color: None,
        };
        assert!(fields(|faults| none.check(faults)).is_empty());
    }
}
