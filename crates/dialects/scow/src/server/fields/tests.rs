//! What a request's fields are refused with.

use prost_types::Timestamp as Stamp;
use tonic::Code;
use wire::scow::common;

use super::{Fields, camel_case};

#[test]
fn a_missing_message_is_told_in_the_contracts_words() {
    let mut fields = Fields::new();
    fields.money("block_threshold_amount", None);
    let status = fields.finish().expect_err("a fault");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "Field blockThresholdAmount is undefined.");
}

#[test]
fn every_fault_is_in_one_answer() {
    let mut fields = Fields::new();
    fields.instant("start_time", None);
    fields.instant(
        "end_time",
        Some(&Stamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
    );
    fields.money("amount", Some(&common::Money::default()));
    let order: Option<common::SortOrder> = fields.choice("sort_order", Some(7), "ASCEND or DESCEND");
    assert_eq!(order, None);
    let status = fields.finish().expect_err("faults");
    for part in [
        "Field startTime is undefined.",
        "end_time: ",
        "amount: ",
        "sort_order: is 7",
    ] {
        assert!(status.message().contains(part), "{}", status.message());
    }
}

#[test]
fn good_fields_are_no_error() {
    let mut fields = Fields::new();
    let at = fields.instant(
        "start_time",
        Some(&Stamp {
            seconds: 1,
            nanos: 999_999_999,
        }),
    );
    assert_eq!(at.micros(), 1_999_999);
    assert_eq!(fields.instant_if_set("end_time", None), None);
    assert_eq!(
        fields.choice("sort_order", Some(1), "ASCEND or DESCEND"),
        Some(common::SortOrder::Descend)
    );
    fields.finish().expect("no fault");
}

#[test]
fn javascript_spells_names_without_underscores() {
    for (proto, javascript) in [
        ("amount", "amount"),
        ("start_time", "startTime"),
        ("default_account_block_threshold", "defaultAccountBlockThreshold"),
    ] {
        assert_eq!(camel_case(proto), javascript);
    }
}
