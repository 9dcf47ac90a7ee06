//! The mapping, kind by kind.

use std::collections::BTreeSet;

use http::StatusCode;
use model::ErrorKind;
use tonic::Code;
use wire::{code, http_status, kind, status};

#[test]
fn every_kind_has_a_grpc_code_of_its_own_and_none_is_ok_or_unknown() {
    let codes: BTreeSet<i32> = ErrorKind::ALL
        .into_iter()
        .map(|kind| i32::from(code(kind)))
        .collect();
    assert_eq!(codes.len(), ErrorKind::ALL.len());
    assert!(!codes.contains(&i32::from(Code::Ok)));
    assert!(!codes.contains(&i32::from(Code::Unknown)));
}

#[test]
fn every_kind_has_an_error_status_in_http() {
    for kind in ErrorKind::ALL {
        let status = http_status(kind);
        assert!(
            status.is_client_error() || status.is_server_error(),
            "{kind}: {status}"
        );
    }
}

#[test]
fn the_two_mappings_are_the_ones_written_down() {
    let rows: Vec<_> = ErrorKind::ALL
        .into_iter()
        .map(|kind| (code(kind) as i32, http_status(kind).as_u16()))
        .collect();
    assert_eq!(
        rows,
        [
            (3, 400),
            (16, 401),
            (7, 403),
            (5, 404),
            (6, 409),
            (9, 409),
            (10, 409),
            (8, 429),
            (14, 503),
            (4, 504),
            (12, 501),
            (13, 500)
        ]
    );
}

#[test]
fn a_fault_of_the_caller_is_a_4xx_and_a_fault_of_ours_a_5xx() {
    let ours: Vec<_> = ErrorKind::ALL
        .into_iter()
        .filter(|kind| http_status(*kind).is_server_error())
        .collect();
    assert_eq!(
        ours,
        [
            ErrorKind::Unavailable,
            ErrorKind::Deadline,
            ErrorKind::Unimplemented,
            ErrorKind::Internal
        ]
    );
    assert_eq!(http_status(ErrorKind::Denied), StatusCode::FORBIDDEN);
}

#[test]
fn a_message_reaches_the_caller_except_that_of_a_fault_of_ours() {
    for kind in ErrorKind::ALL {
        let status = status(kind, "open the door");
        assert_eq!(status.code(), code(kind));
        let wanted = if kind == ErrorKind::Internal {
            "internal error"
        } else {
            "open the door"
        };
        assert_eq!(status.message(), wanted);
    }
}

#[test]
fn a_caller_finds_the_kind_behind_each_code_that_we_send() {
    for wanted in ErrorKind::ALL {
        assert_eq!(kind(code(wanted)), Some(wanted));
    }
    for none in [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::OutOfRange,
        Code::DataLoss,
    ] {
        assert_eq!(kind(none), None);
    }
}

#[test]
fn a_long_message_is_cut_between_two_characters() {
    let status = status(ErrorKind::Invalid, "ä".repeat(2000));
    assert_eq!(status.message().len(), 1023);
    assert!(status.message().ends_with("ä..."));
}
