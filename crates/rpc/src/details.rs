//! Statuses as a peer says them, made fit for the library that reads them.
//!
//! What it leaves to others: what a status means. Details that are not base64 are none; the library takes them for a
//! fault of its own program and panics, so whoever answers could end the task of whoever asks.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::Frame;
use tonic::metadata::MetadataMap;

/// The header that carries the details of a status.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Takes details out that nobody can read.
pub(crate) fn check(headers: &mut HeaderMap) {
    let Some(said) = headers.get(DETAILS) else { return };
    let alone = MetadataMap::from_headers(HeaderMap::from_iter([(DETAILS, said.clone())]));
    let sound = alone
        .get_bin(DETAILS.as_str())
        .is_some_and(|said| said.to_bytes().is_ok());
    if !sound {
        tracing::debug!("the details of a status are not base64");
        headers.remove(DETAILS);
    }
}

/// The same for the trailers of an answer.
pub(crate) fn checked(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        check(trailers);
    }
    frame
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{DETAILS, check};

    #[test]
    fn details_stay_where_they_can_be_read() {
        for (said, stays) in [
            ("", true),
            ("CAM=", true),
            ("CAM", true),
            ("%%%", false),
            ("CAM=, CAM=", false),
        ] {
            let mut headers = HeaderMap::from_iter([(DETAILS, said.parse().unwrap())]);
            check(&mut headers);
            assert_eq!(headers.contains_key(DETAILS), stays, "{said}");
            drop(tonic::Status::from_header_map(&headers));
        }
    }
}
