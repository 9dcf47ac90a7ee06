//! How the messages of a call are written, by its content type.
//!
//! What it leaves to others: writing them (the generated code for protobuf, `json`). Names are those of the gRPC
//! protocol over HTTP/2 ("Content-Type").

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

/// What every content type of gRPC over HTTP/2 begins with.
const PREFIX: &[u8] = b"application/grpc";

/// Tells whether these are the headers of a gRPC call or answer, in whatever form.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let announced = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    announced.is_some_and(|kind| kind.starts_with(PREFIX))
}

/// The form of a call's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Protobuf's binary form.
    Proto,
    /// Protobuf's canonical JSON form.
    Json,
}

impl Form {
    /// Reads the form of a call; nothing where it is no gRPC call over HTTP/2, or one in another form.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let announced = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes)?;
        let rest = announced.strip_prefix(PREFIX)?;
        let form = rest.split(|byte| *byte == b';').next()?.trim_ascii_end();
        match form {
            b"" | b"+proto" => Some(Form::Proto),
            b"+json" => Some(Form::Json),
            _ => None,
        }
    }

    /// The content type of a call and of its answer in this form.
    pub(crate) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Form::Proto => "application/grpc",
            Form::Json => "application/grpc+json",
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header::CONTENT_TYPE};

    use super::Form;

    #[test]
    fn a_form_is_read_from_a_content_type_and_another_is_none() {
        for (text, wanted) in [
            ("application/grpc", Some(Form::Proto)),
            ("application/grpc+proto", Some(Form::Proto)),
            ("application/grpc;x=1", Some(Form::Proto)),
            ("application/grpc+json", Some(Form::Json)),
            ("application/grpc+json; charset=utf-8", Some(Form::Json)),
            ("application/grpc+thrift", None),
            ("application/grpc-web", None),
            ("application/grpcx", None),
            ("application/json", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, text.parse().unwrap());
            assert_eq!(Form::of(&headers), wanted, "{text}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), None);
        assert_eq!(
            Form::of(&HeaderMap::from_iter([(CONTENT_TYPE, Form::Json.content_type())])),
            Some(Form::Json)
        );
    }
}
