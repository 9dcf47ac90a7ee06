//! gzip for single messages, bounded.
//!
//! What it leaves to others: when to use it. Names are those of the gRPC protocol over HTTP/2
//! ("Message-Encoding", "Message-Accept-Encoding").

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that says how compressed messages of this body are compressed.
pub(crate) const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// The header that says which compressions the sender of it understands.
pub(crate) const ACCEPT: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// The value for both.
pub(crate) const GZIP: HeaderValue = HeaderValue::from_static("gzip");
/// What this house understands.
pub(crate) const UNDERSTOOD: HeaderValue = HeaderValue::from_static("identity,gzip");

/// Why a message cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is longer than allowed once unpacked.
    Long,
    /// It is not gzip.
    Malformed,
}

/// What the headers say of the compression of the messages that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// None.
    Identity,
    /// gzip, for the messages that are marked.
    Gzip,
    /// One that is not understood here.
    Other,
}

/// Reads which compression the messages of a body may have.
pub(crate) fn encoding(headers: &HeaderMap) -> Encoding {
    match headers.get(ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Encoding::Identity,
        Some(b"gzip") => Encoding::Gzip,
        Some(_) => Encoding::Other,
    }
}

/// Tells whether whoever sent these headers understands gzip.
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT).iter();
    let mut names = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii() == b"gzip")
}

/// Compresses one message.
pub(crate) fn pack(message: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::with_capacity(message.len() / 2), Compression::fast());
    let written = packed.write_all(message).and_then(|()| packed.finish());
    written.expect("a vector takes all that is written to it")
}

/// Unpacks one message of at most `most` bytes.
pub(crate) fn unpack(packed: &[u8], most: u32) -> Result<Vec<u8>, Fault> {
    let mut message = Vec::new();
    let mut bounded = GzDecoder::new(packed).take(u64::from(most) + 1);
    bounded
        .read_to_end(&mut message)
        .map_err(|_not_gzip| Fault::Malformed)?;
    if message.len() > usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(Fault::Long);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{ACCEPT, ENCODING, Encoding, Fault, encoding, is_accepted, pack, unpack};

    #[test]
    fn a_message_comes_out_as_it_went_in_and_a_bomb_does_not_come_out() {
        for length in [0, 1, 1000, 100_000] {
            let message = vec![b'x'; length];
            assert_eq!(unpack(&pack(&message), 100_000).unwrap(), message);
        }
        assert_eq!(unpack(&pack(&vec![0; 100_001]), 100_000), Err(Fault::Long));
        assert_eq!(unpack(b"not gzip", 100), Err(Fault::Malformed));
        let packed = pack(b"torn");
        assert_eq!(unpack(&packed[..packed.len() - 1], 100), Err(Fault::Malformed));
    }

    #[test]
    fn the_headers_are_read_as_lists_and_as_names() {
        let mut headers = HeaderMap::new();
        assert_eq!(encoding(&headers), Encoding::Identity);
        assert!(!is_accepted(&headers));
        for (name, wanted) in [
            ("identity", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("br", Encoding::Other),
        ] {
            headers.insert(ENCODING, name.parse().unwrap());
            assert_eq!(encoding(&headers), wanted);
        }
        for (list, wanted) in [
            ("identity,deflate, gzip", true),
            ("gzip", true),
            ("identity", false),
            ("xgzip", false),
        ] {
            headers.insert(ACCEPT, list.parse().unwrap());
            assert_eq!(is_accepted(&headers), wanted, "{list}");
        }
    }
}
