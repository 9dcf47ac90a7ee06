//! Pages and orders of lists, as the management calls give them.
//!
//! Pages count from 1 and hold 50 rows unless told otherwise; an order holds only where both its field and its
//! direction are given (contract of the management side, 2.2). What it leaves to others: reading the rows.

use wire::scow::common::SortOrder;

use crate::server::fields::Fields;

/// Rows of a page whose size is not given.
const DEFAULT_SIZE: u64 = 50;

/// The directions that an order takes.
pub(super) const ORDERS: &str = "ASCEND or DESCEND";

/// Rows read for one page at most: more than one answer can hold, and no more than a server can.
pub(super) const MOST_ROWS: u64 = 100_000;

/// What a size of zero asks for: the calls differ.
#[derive(Clone, Copy)]
pub(super) enum Zero {
    /// The default, as if it were absent (`GetJobs`).
    IsDefault,
    /// No row (`GetPaginatedChargeRecords`).
    IsNone,
}

/// Which rows of a list are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// Rows before the page.
    pub(super) skip: u64,
    /// Rows of the page at most.
    pub(super) take: u64,
}

impl Page {
    /// Reads `page` and `page_size`. An absent page is the first.
    pub(super) fn read(fields: &mut Fields, page: Option<u32>, size: Option<u64>, zero: Zero) -> Self {
        let page = u64::from(page.unwrap_or(1));
        fields.check(page > 0, "page", "is 0", "a page from 1");
        let take = match (size, zero) {
            (None, _) | (Some(0), Zero::IsDefault) => DEFAULT_SIZE,
            (Some(size), _) => size,
        };
        let skip = page.saturating_sub(1).checked_mul(take);
        let reachable = skip.is_some_and(|skip| {
            skip.checked_add(take)
                .is_some_and(|end| i64::try_from(end).is_ok())
        });
        fields.check(
            reachable,
            "page_size",
            &format!("is {take} with page {page}"),
            "pages within the first 2^63 - 1 rows",
        );
        Self {
            skip: skip.unwrap_or(0),
            take: if reachable { take.min(MOST_ROWS) } else { 0 },
        }
    }
}

/// An order, where both of its halves are given: by what, and whether the largest comes first.
pub(super) fn order<T>(by: Option<T>, direction: Option<SortOrder>) -> Option<(T, bool)> {
    Some((by?, direction? == SortOrder::Descend))
}

#[cfg(test)]
mod tests;
