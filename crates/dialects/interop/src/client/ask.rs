//! One question to the issuer of tokens, over plain HTTP.
//!
//! What it leaves to others: which question (`tokens`).

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::{Error, issuer::FLAVOR};

/// The most bytes of an answer.
const MOST: usize = 64 * 1024;

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

/// Asks at `authority` for an access token: with a form, or for the machine's own.
pub(super) async fn token(authority: &str, path: &str, form: Option<String>) -> Result<String, Error> {
    let fault = |fault: String| Error::Issuer { fault };
    let lost = |error: hyper::Error| fault(format!("it breaks off: {error}"));
    let stream = TcpStream::connect(authority).await;
    let stream = stream.map_err(|error| fault(format!("it is not reached: {error}")))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let method = if form.is_some() { Method::POST } else { Method::GET };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(FLAVOR.0, FLAVOR.1)
        .body(Full::new(Bytes::from(form.unwrap_or_default())));
    let request = request.map_err(|error| fault(format!("its address cannot be asked: {error}")))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(lost)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST).collect().await;
        let body = body.map_err(|error| fault(format!("its answer breaks off: {error}")))?;
        Ok((status, body.to_bytes()))
    };
    // The connection lives as long as the question does.
    let (status, body) = tokio::select! {
        biased;
        answered = exchange => answered?,
        ended = connection => return Err(fault(format!("it hangs up: {ended:?}"))),
    };
    if status != StatusCode::OK {
        return Err(fault(format!("it answers {status}")));
    }
    let granted: Granted = serde_json::from_slice(&body)
        .map_err(|_syntax| fault("its answer holds no access_token".to_owned()))?;
    Ok(granted.access_token)
}
