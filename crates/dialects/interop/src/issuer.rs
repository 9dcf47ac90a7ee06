//! Gives out the account's access tokens over plain HTTP on this machine, in the two forms that gRPC's libraries ask
//! for: in exchange for a token that the account has signed (RFC 7523), and as the machine's own account.
//!
//! What it leaves to others: the tokens themselves (`account`). It stands in for a company's sandbox in tests, and takes
//! every program of this machine for the machine.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::{Value, json};
use tasks::Clock;
use tonic::body::Body;
use tower::Service;

use crate::{Account, account::LIFE_SECS};

/// Where a machine finds its own account's token, as gRPC's libraries know it.
pub(crate) const MACHINE: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
/// Where a signed token is exchanged.
const EXCHANGE: &str = "/token";
/// The header that an answer and a request for the machine's token carry.
pub(crate) const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");
/// The scope that the machine's own tokens have: the one that the official cases ask for.
const SCOPE: &str = "https://www.googleapis.com/auth/xapi.zoo";
/// The most bytes of a request.
const MOST: usize = 16 * 1024;

/// The issuer of one account's tokens.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    account: Account,
    clock: Clock,
}

impl Issuer {
    pub(crate) const fn new(account: Account, clock: Clock) -> Self {
        Self { account, clock }
    }

    fn granted(&self, scope: String) -> Value {
        let token = self.account.token(None, Some(scope), self.clock.now());
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": LIFE_SECS })
    }

    /// The token for what a form holds.
    fn exchanged(&self, form: &[u8]) -> Result<Value, &'static str> {
        let form = std::str::from_utf8(form).map_err(|_not_text| "the form is no text")?;
        let field = |name| {
            let mut fields = form.split('&').filter_map(|field| field.split_once('='));
            fields.find_map(|(key, value)| (key == name).then_some(value))
        };
        if !field("grant_type").is_some_and(|kind| kind.ends_with("jwt-bearer")) {
            return Err("grant_type is not urn:ietf:params:oauth:grant-type:jwt-bearer");
        }
        let assertion = field("assertion").ok_or("assertion is missing")?;
        let claims = self.account.verify(assertion, self.clock.now())?;
        if claims.iss != self.account.email() || claims.aud.as_deref() != Some(self.account.token_uri()) {
            return Err("the assertion is of another account or for another issuer");
        }
        Ok(self.granted(claims.scope.unwrap_or_default()))
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match (&parts.method, parts.uri.path()) {
            (&Method::POST, EXCHANGE) => {
                let Ok(form) = Limited::new(body, MOST).collect().await else {
                    return said(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request" }));
                };
                match self.exchanged(&form.to_bytes()) {
                    Ok(granted) => said(StatusCode::OK, &granted),
                    Err(fault) => {
                        let refusal = json!({ "error": "invalid_grant", "error_description": fault });
                        said(StatusCode::BAD_REQUEST, &refusal)
                    }
                }
            }
            (&Method::GET, MACHINE) if parts.headers.get(FLAVOR.0).is_some_and(|value| value == FLAVOR.1) => {
                said(StatusCode::OK, &self.granted(SCOPE.to_owned()))
            }
            _ => said(StatusCode::NOT_FOUND, &json!({ "error": "not found" })),
        }
    }
}

fn said(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string()));
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(FLAVOR.0, header::HeaderValue::from_static(FLAVOR.1));
    response
}

impl Service<Request<Body>> for Issuer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let issuer = self.clone();
        Box::pin(async move { Ok(issuer.answer(request).await) })
    }
}
