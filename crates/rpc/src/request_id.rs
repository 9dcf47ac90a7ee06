//! The id of one call, by which a caller's report and the log find each other.
//!
//! It is always made here, so that no caller can put words into the log. What it leaves to others: logging the
//! cause of a failure under it (the dialects), and the audit trail (`access`).

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

/// The id of one call. Every request that [`crate::Calls`] hands on carries one among its extensions, and every
/// answer says it as `x-request-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

const NAME: HeaderName = HeaderName::from_static(RequestId::HEADER);

impl RequestId {
    /// The response's header that carries the id.
    pub const HEADER: &'static str = "x-request-id";

    /// A new id. [`crate::Calls`] makes one for each gRPC call; doors of other protocols make theirs.
    #[must_use]
    pub fn fresh() -> Self {
        let mut digits = [0; 32];
        // Not a secret: it has to be another one each time, and no word of the caller's.
        hex::encode_to_slice(rand::random::<[u8; 16]>(), &mut digits)
            .expect("16 bytes are 32 hexadecimal digits");
        Self(digits)
    }

    /// Finds the id among a request's extensions.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The id as text: 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Says the id in a response's headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
        // Hexadecimal digits are always a header's value.
        if let Ok(mut value) = HeaderValue::from_bytes(&self.0) {
            // It is no secret, but no other answer has it: HTTP/2 would put it into its table of headers for nothing,
            // and push out what comes again.
            value.set_sensitive(true);
            headers.insert(NAME, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tonic::{body::Body, service::Routes};
    use tower::ServiceExt as _;

    use super::RequestId;
    use crate::{CallLimits, Calls};

    async fn id_of(path: &str) -> String {
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .header("x-request-id", "said by the caller")
            .body(Body::empty())
            .unwrap();
        let calls = Calls::new(Routes::default(), CallLimits::default());
        let response = calls.oneshot(request).await.unwrap();
        let ids: Vec<_> = response.headers().get_all(RequestId::HEADER).iter().collect();
        assert_eq!(ids.len(), 1, "{path}");
        ids[0].to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn every_answer_says_an_id_of_its_own_made_here() {
        let mut seen = std::collections::BTreeSet::new();
        for path in ["/a.B/C", "/a.B/C", "/no-method", "/a.B/C/"] {
            let id = id_of(path).await;
            assert!(
                id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit()),
                "{id}"
            );
            assert!(seen.insert(id));
        }
    }
}
