//! Parameters of the query: all faults at once, unknown names ignored.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use wagate_core::Page;
use wagate_model::{Draft, Faults};

use crate::state::ApiState;

/// The parameters of a query, read one by one; empty ones count as missing.
#[derive(Debug, Default)]
pub(crate) struct Params {
    values: BTreeMap<String, String>,
    repeated: Vec<String>,
    faults: Faults,
}

impl Params {
    pub(crate) fn of(query: &str) -> Self {
        let mut params = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                continue;
            }
            let name = name.into_owned();
            if params
                .values
                .insert(name.clone(), value.into_owned())
                .is_some()
            {
                params.repeated.push(name);
            }
        }
        params
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        if self.repeated.iter().any(|repeated| repeated == name) {
            self.faults.add_unreadable(name, "must be given only once");
            return None;
        }
        self.values.remove(name)
    }

    /// Texts in one parameter, separated by commas.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let text = self.text(name)?;
        Some(text.split(',').map(|part| part.trim().to_owned()).collect())
    }

    /// A switch.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.text(name).as_deref() {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => {
                self.faults.add_unreadable(name, "must be true or false");
                false
            }
        }
    }

    /// A switch that may be left open.
    pub(crate) fn choice(&mut self, name: &str) -> Option<bool> {
        self.values.contains_key(name).then(|| self.flag(name))
    }

    /// An integer that is not negative; 0 where missing.
    pub(crate) fn count(&mut self, name: &str) -> i64 {
        let Some(text) = self.text(name) else {
            return 0;
        };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More digits than fit are more than any limit.
            return text.parse().unwrap_or(i64::MAX);
        }
        self.faults
            .add_unreadable(name, "must be an integer that is not negative");
        0
    }

    /// The faults of the parameters read so far.
    pub(crate) fn into_faults(self) -> Faults {
        self.faults
    }
}

/// What a query says, as a type.
pub(crate) trait FromQuery: Sized {
    /// Reads the parameters that it knows.
    fn from_params(params: &mut Params) -> Self;
}

/// A query, as far as it could be read.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) Draft<T>);

impl<T: FromQuery> FromRequestParts<ApiState> for Query<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Infallible> {
        let mut params = Params::of(parts.uri.query().unwrap_or_default());
        let value = T::from_params(&mut params);
        Ok(Self(Draft::new(value, params.into_faults())))
    }
}

impl FromQuery for Page {
    fn from_params(params: &mut Params) -> Self {
        Self {
            limit: params.count("limit"),
            cursor: params.text("cursor"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(query: &str) -> Result<Page, Vec<String>> {
        let mut params = Params::of(query);
        let page = Page::from_params(&mut params);
        match params.into_faults().into_result() {
            Ok(()) => Ok(page),
            Err(faults) => Err(faults
                .into_vec()
                .into_iter()
                .map(|fault| fault.field)
                .collect()),
        }
    }

    #[test]
    fn limits_follow_the_contract() {
        for (query, rows) in [
            ("", 50),
            ("limit=", 50),
            ("limit=0", 50),
            ("limit=1", 1),
            ("limit=200", 200),
            ("limit=201", 200),
            ("limit=99999999999999999999999", 200),
            ("limit=7&unknown=x", 7),
        ] {
            assert_eq!(page(query).map(|page| page.rows()), Ok(rows), "{query}");
        }
        for query in [
            "limit=-1",
            "limit=x",
            "limit=1.5",
            "limit=1&limit=2",
            "limit=%2B1",
        ] {
            assert_eq!(page(query), Err(vec!["limit".to_owned()]), "{query}");
        }
    }

    #[test]
    fn flags_are_true_or_false() {
        let flag = |query| {
            let mut params = Params::of(query);
            let value = params.flag("async");
            params
                .into_faults()
                .into_result()
                .map(|()| value)
                .map_err(|_| ())
        };
        assert_eq!(flag("async=true"), Ok(true));
        assert_eq!(flag("async=false"), Ok(false));
        assert_eq!(flag(""), Ok(false));
        assert_eq!(flag("async=yes"), Err(()));
    }
    proptest! {
        #[test]
        fn any_query_is_read_one_way(
            text in "\\PC{0,60}",
            pairs in "((limit|cursor|after|types|waitMs|from|status|q|fromMe)=[0-9a-z%A-F,+-]{0,22}&?){0,5}",
        ) {
            crate::fuzzing::query(&text);
            crate::fuzzing::query(&pairs);
        }
    }
}
