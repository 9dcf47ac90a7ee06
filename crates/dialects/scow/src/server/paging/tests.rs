//! Which rows a page is.

use super::{Page, Zero};
use crate::server::fields::Fields;

#[test]
fn pages_count_from_one_and_hold_fifty_rows() {
    for (page, size, zero, skip, take) in [
        (None, None, Zero::IsNone, 0, 50),
        (Some(1), Some(10), Zero::IsNone, 0, 10),
        (Some(3), Some(10), Zero::IsDefault, 20, 10),
        (Some(2), None, Zero::IsDefault, 50, 50),
        (Some(2), Some(0), Zero::IsDefault, 50, 50),
        (Some(2), Some(0), Zero::IsNone, 0, 0),
        (Some(u32::MAX), Some(1), Zero::IsNone, u64::from(u32::MAX) - 1, 1),
    ] {
        let mut fields = Fields::new();
        let read = Page::read(&mut fields, page, size, zero);
        fields.finish().expect("a page");
        assert_eq!(read, Page { skip, take });
    }
}

#[test]
fn a_page_that_is_none_is_refused_by_name() {
    for (page, size, field) in [
        (Some(0), None, "page: is 0"),
        (Some(2), Some(u64::MAX), "page_size: "),
        (Some(1), Some(u64::MAX), "page_size: "),
        (Some(u32::MAX), Some(u64::MAX / 2), "page_size: "),
    ] {
        let mut fields = Fields::new();
        Page::read(&mut fields, page, size, Zero::IsDefault);
        let status = fields.finish().expect_err("no page");
        assert!(status.message().starts_with(field), "{}", status.message());
    }
}
