//! Statements over many rows, in a few sizes so that each is prepared once.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

/// How many rows a statement takes, the largest first.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// Cuts rows into as few pieces of the sizes above as possible.
pub(crate) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

fn push_parameters(text: &mut String, first: usize, count: usize) {
    for parameter in first..first + count {
        let comma = if parameter == first { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}${parameter}");
    }
}

/// `head ($1, $2, $3), ($1, $2, $4) tail`: the first `shared` parameters are the same in
/// all rows, each row has `own` more.
pub(crate) fn values(
    head: &'static str,
    shared: usize,
    own: usize,
    rows: usize,
    tail: &'static str,
) -> AssertSqlSafe<String> {
    let mut text = String::with_capacity(head.len() + tail.len() + rows * (shared + own) * 6);
    text.push_str(head);
    for row in 0..rows {
        text.push_str(if row == 0 { " (" } else { ", (" });
        push_parameters(&mut text, 1, shared);
        if shared > 0 {
            text.push_str(", ");
        }
        push_parameters(&mut text, 1 + shared + row * own, own);
        text.push(')');
    }
    text.push(' ');
    text.push_str(tail);
    AssertSqlSafe(text)
}

/// `head ($n, $n+1, …)`: a list of `count` parameters after the first `shared`.
pub(crate) fn list(head: &'static str, shared: usize, count: usize) -> AssertSqlSafe<String> {
    let mut text = String::with_capacity(head.len() + count * 6);
    text.push_str(head);
    text.push_str(" (");
    push_parameters(&mut text, 1 + shared, count);
    text.push(')');
    AssertSqlSafe(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_number_their_parameters() {
        assert_eq!(
            values("INSERT INTO t VALUES", 1, 2, 2, "RETURNING a").0,
            "INSERT INTO t VALUES ($1, $2, $3), ($1, $4, $5) RETURNING a"
        );
        assert_eq!(
            values("INSERT INTO t VALUES", 0, 2, 2, "").0,
            "INSERT INTO t VALUES ($1, $2), ($3, $4) "
        );
        assert_eq!(
            list("DELETE FROM t WHERE a = $1 AND b IN", 1, 3).0,
            "DELETE FROM t WHERE a = $1 AND b IN ($2, $3, $4)"
        );
    }

    #[test]
    fn pieces_cover_all_rows_in_order() {
        let rows: Vec<_> = (0..87).collect();
        let sizes: Vec<_> = pieces(&rows).map(<[_]>::len).collect();
        assert_eq!(sizes, [64, 16, 4, 1, 1, 1]);
        assert_eq!(pieces(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(pieces::<u8>(&[]).count(), 0);
    }
}
