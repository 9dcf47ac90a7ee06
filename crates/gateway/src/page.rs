//! The plain page at `/`, and how every answer that is no call looks.
//!
//! What it leaves to others: the console. The page needs no script and nothing from elsewhere.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use tonic::body::Body;

const STYLE: &str = "body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;\
    color:#1c2733;background:#fbfaf7}h1{font-size:1.5rem}pre{background:#efece4;padding:.8rem 1rem;\
    border-radius:.4rem;overflow-x:auto}@media(prefers-color-scheme:dark){body{color:#dfe4e8;\
    background:#15191d}pre{background:#22282e}}";

/// The page, made once.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    text: Bytes,
    policy: HeaderValue,
}

impl Page {
    /// Writes the page of the zone with this host name.
    pub(crate) fn new(zone_host: &str) -> Self {
        let host = escaped(zone_host);
        let text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <title>Soke: {host}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>Soke runs here</h1>\n\
             <p>This is the compute zone <strong>{host}</strong>. The web console is not built yet; \
             everything works from a terminal.</p>\n\
             <p>To sign in, copy the whole sign-in link that brought you here, give it to the <code>soke</code> \
             program when it asks, and you are in:</p>\n\
             <pre>soke sign-in</pre>\n\
             <p>Then run something and look at it:</p>\n\
             <pre>soke run -- echo hello\nsoke jobs</pre>\n\
             <p>Programs reach the zone on this same address by gRPC and gRPC-Web.</p>\n\
             </body>\n</html>\n"
        );
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        Self {
            text: Bytes::from(text),
            policy: HeaderValue::try_from(policy).expect("base64 and fixed words are a header value"),
        }
    }

    /// The page as an answer.
    pub(crate) fn answer(&self) -> Response<Body> {
        let mut response = dressed(StatusCode::OK, "text/html; charset=utf-8", self.text.clone());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        response
    }
}

/// One line of text as an answer.
pub(crate) fn line(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = dressed(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(text.as_bytes()),
    );
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// The same answer without its body, as HEAD wants it.
pub(crate) fn head_only(response: Response<Body>) -> Response<Body> {
    response.map(|_body| Body::empty())
}

fn dressed(status: StatusCode, kind: &'static str, text: Bytes) -> Response<Body> {
    let length = HeaderValue::from(text.len());
    let mut response = Response::new(Body::new(Full::new(text)));
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn the_page_fetches_nothing_from_elsewhere_and_runs_nothing() {
        let page = Page::new("soke.localhost");
        let text = std::str::from_utf8(&page.text).unwrap();
        for word in [
            "http:", "https:", "src=", "href=", "<script", "url(", "@import", "onload",
        ] {
            assert!(!text.contains(word), "{word}");
        }
        assert!(text.contains("soke sign-in"));
    }

    #[test]
    fn a_host_name_cannot_write_into_the_page() {
        let page = Page::new("<b>&\"x");
        let text = std::str::from_utf8(&page.text).unwrap();
        assert!(text.contains("&lt;b&gt;&amp;&quot;x"));
    }
}
