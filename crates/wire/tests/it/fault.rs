//! Faults of fields, gathered into one answer.

use tonic::Code;
use tonic_types::StatusExt as _;
use wire::FieldFaults;

#[test]
fn no_fault_is_no_error() {
    let mut faults = FieldFaults::new();
    faults.check(true, "name", "is empty", "1 to 64 characters");
    assert!(faults.is_empty());
    assert!(faults.finish().is_ok());
}

#[test]
fn a_prescribed_sentence_stands_as_it_is() {
    let mut faults = FieldFaults::new();
    faults.add_sentence("amount", "Field amount is undefined.");
    faults.add("page", "is 0", "1 or more");
    let status = faults.finish().unwrap_err();
    assert_eq!(
        status.message(),
        "Field amount is undefined. page: is 0; give 1 or more"
    );
    let bad = status.get_details_bad_request().unwrap();
    assert_eq!(bad.field_violations[0].field, "amount");
}

#[test]
fn one_status_names_all_faults_for_people_and_for_programs() {
    let mut faults = FieldFaults::new();
    faults.add("name", "is empty", "1 to 64 characters");
    faults.check(false, "cores", "is 900", "at most 64");
    let status = faults.finish().unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "name: is empty; give 1 to 64 characters. cores: is 900; give at most 64"
    );
    let bad = status.get_details_bad_request().unwrap();
    let fields: Vec<_> = bad
        .field_violations
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    assert_eq!(fields, ["name", "cores"]);
    assert_eq!(bad.field_violations[1].description, "is 900; give at most 64");
}

#[test]
fn faults_whose_every_byte_is_encoded_still_fit_the_trailers_that_clients_take() {
    let mut faults = FieldFaults::new();
    for _ in 0..8 {
        faults.add("\u{1}".repeat(90), "\u{1}".repeat(90), "\u{1}".repeat(90));
    }
    let status = faults.into_status();
    let mut trailers = http::HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    let length: usize = trailers.values().map(http::HeaderValue::len).sum();
    assert!((6000..8000).contains(&length), "{length}");
    let details = status.get_details_bad_request().unwrap();
    let rest = format!("And {} more", 8 - details.field_violations.len());
    assert!(status.message().ends_with(&rest), "{}", status.message());
}

#[test]
fn many_long_faults_still_fit_the_trailers_that_clients_take() {
    let mut faults = FieldFaults::new();
    for number in 0..1000 {
        faults.add(
            format!("list[{number}]"),
            format!("is `{}`", "x".repeat(5000)),
            "a short word",
        );
    }
    let status = faults.into_status();
    assert!(
        status.message().ends_with(". And 992 more"),
        "{}",
        status.message()
    );
    assert!(status.message().len() + status.details().len() * 4 / 3 < 6000);
}
