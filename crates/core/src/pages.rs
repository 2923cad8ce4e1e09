//! Pages of lists.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wagate_model::{Cursor, Faults, OrganizationId};

use crate::service::Core;

/// Rows of a page unless the caller says otherwise.
pub const DEFAULT_LIMIT: i64 = 50;

/// Most rows of a page.
pub const MAX_LIMIT: i64 = 200;

/// What cursors are sealed as.
const PURPOSE: &str = "cursor";

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Most rows; 0 stands for the default, and more than the most for the most.
    pub limit: i64,
    /// Where to go on, from an earlier page.
    pub cursor: Option<String>,
}

impl Page {
    /// The rows to give.
    #[must_use]
    pub fn rows(&self) -> i64 {
        clamp_limit(self.limit)
    }
}

/// The rows to give for a limit that a caller asked for.
pub(crate) fn clamp_limit(limit: i64) -> i64 {
    if limit <= 0 {
        DEFAULT_LIMIT
    } else {
        limit.min(MAX_LIMIT)
    }
}

/// A list, whose cursors fit no other.
#[derive(Debug)]
pub(crate) struct List<'c> {
    core: &'c Core,
    name: String,
}

impl Core {
    /// The list of an organization with a name.
    pub(crate) fn list(&self, organization: OrganizationId, name: impl AsRef<str>) -> List<'_> {
        List {
            core: self,
            name: format!("{organization}/{}", name.as_ref()),
        }
    }
}

impl Core {
    /// A list of the whole installation with a name.
    pub(crate) fn installation_list(&self, name: &str) -> List<'_> {
        List {
            core: self,
            name: format!("installation/{name}"),
        }
    }
}

impl List<'_> {
    /// The text of a position.
    pub(crate) fn cursor(&self, position: &impl Serialize) -> String {
        let keys = self.core.store.keys();
        Cursor::of(&self.name).encode(position, |list, plain| keys.seal(PURPOSE, list, plain))
    }

    /// Where a page begins; a cursor that was not made for this list is a fault.
    pub(crate) fn start<P: DeserializeOwned>(&self, page: &Page, faults: &mut Faults) -> Option<P> {
        let keys = self.core.store.keys();
        Cursor::of(&self.name)
            .decode(page.cursor.as_deref()?, |list, sealed| {
                keys.open(PURPOSE, list, sealed).ok()
            })
            .map_err(|error| faults.add("cursor", error.to_string()))
            .ok()
    }
}

/// Takes the rows that fit a page out of one row more; gives whether there are more.
pub(crate) fn cut<T>(rows: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    has_more
}
