//! One call over a channel: what goes along with it, its tries, and the head of its answer.
//!
//! What it leaves to others: the connection (`keep`), what credentials say (`credentials`), the bodies (`bodies`,
//! `kept`), and which calls are made again (`retry`).

use std::{error::Error as _, sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, StatusCode, Uri, header, request::Parts};
use model::ErrorKind;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};

use super::{
    CallOptions,
    bodies::Sending,
    keep::{Core, spread},
    kept::Kept,
    retry::Turns,
    service_config::Method,
};
use crate::{Deadline, credentials, gzip};

/// How often a try that was not sent goes to another connection.
const CONNECTIONS: usize = 5;

/// Where the status of an answer stands that has nothing else.
pub(super) const STATUS: &str = "grpc-status";

/// A call on its way out.
pub(super) struct Going<'a> {
    pub(super) core: &'a Core,
    pub(super) options: &'a CallOptions,
    pub(super) method: Option<&'a Method>,
    pub(super) deadline: Option<&'a Deadline>,
    pub(super) token: &'a CancellationToken,
}

/// The answer to a call that its own side gave up.
pub(crate) fn cancelled(text: &'static str) -> Status {
    Status::new(Code::Cancelled, text)
}

/// What ends a body that nobody waits for. The connection takes the code of its reset from here.
pub(super) fn given_up() -> Status {
    let mut status = cancelled("the call was given up");
    status.set_source(Arc::new(h2::Error::from(h2::Reason::CANCEL)));
    status
}

/// Why a try has no answer.
struct Failed {
    status: Status,
    /// No handler can have seen it.
    unseen: bool,
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        let unseen = false;
        Self { status, unseen }
    }
}

impl Going<'_> {
    /// Sends the call and waits for the head of its answer. What may not be sent is refused before anything connects.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let Self { core, options, .. } = self;
        core.origin.complete(request.uri_mut());
        let proof = self.proof(request.uri()).await?;
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, core.args.user_agent.clone());
        headers.insert(gzip::ACCEPT, gzip::UNDERSTOOD);
        let (mut head, body) = request.into_parts();
        let body = Body::new(Sending::new(
            body,
            core.args.compress,
            options,
            self.token,
            &mut head.headers,
        ));
        let answered = if core.args.retries {
            self.tries(head, proof, body).await
        } else {
            append(&proof, &mut head);
            self.attempt(head, body).await
        };
        answered.map_err(|failed| failed.status)
    }

    /// What proves who calls, for one try.
    async fn proof(&self, uri: &Uri) -> Result<HeaderMap, Status> {
        let Self { core, options, .. } = self;
        let both = core.credentials.iter().chain(&options.credentials);
        tokio::select! {
            biased;
            proof = credentials::metadata(both, core.security, uri) => proof,
            closed = core.closed() => Err(closed),
        }
    }

    /// Makes the call, and makes it again where that is allowed, until there is an answer that counts.
    async fn tries(&self, head: Parts, mut proof: HeaderMap, body: Body) -> Result<Response<Body>, Failed> {
        let core = self.core;
        let policy = self.method.and_then(|method| method.retry.as_ref());
        let mut turns = Turns::new(policy, core.throttle.as_ref());
        let kept = Kept::new(body, core.args.most_kept);
        loop {
            let mut this = head.clone();
            append(&proof, &mut this);
            turns.tell(&mut this.headers);
            let tried = self.attempt(this, Body::new(kept.turn())).await;
            let wait = match &tried {
                Ok(response) => match code_of(response) {
                    None => None,
                    Some(Code::Ok) => {
                        core.settle(self.method, Code::Ok);
                        None
                    }
                    Some(code) => turns.after(code, response.headers(), spread()),
                },
                Err(failed) if failed.unseen && turns.after_unseen() => Some(Duration::ZERO),
                Err(failed) => turns.after(failed.status.code(), &HeaderMap::new(), spread()),
            };
            let wait = match wait {
                Some(wait) if kept.end_turn() => wait,
                Some(_) | None => {
                    kept.forget();
                    return tried;
                }
            };
            drop(tried);
            tracing::debug!(?wait, "a call is made again");
            if !wait.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    closed = core.closed() => return Err(closed.into()),
                }
            }
            // As each try's own in gRPC's other libraries: what proved the first one may be past its time by now.
            proof = self.proof(&head.uri).await?;
        }
    }

    /// Makes the call once, over the first connection that takes it.
    async fn attempt(&self, head: Parts, body: Body) -> Result<Response<Body>, Failed> {
        let core = self.core;
        let said = self.method.and_then(|method| method.wait_for_ready);
        let wait = self.options.wait_for_ready.or(said);
        let wait = wait.unwrap_or(core.args.wait_for_ready);
        let mut request = Request::from_parts(head, body);
        for _ in 0..CONNECTIONS {
            let mut sender = core.sender(wait).await?;
            // Waiting for a connection took a part of what was allowed.
            if let Some(deadline) = self.deadline {
                deadline.tell(request.headers_mut());
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(Body::new)),
                Err(mut failed) => match failed.take_message() {
                    Some(back) => request = back,
                    None => {
                        let error = failed.into_error();
                        let unseen = is_unseen(&error);
                        let status = core.broke(error);
                        return Err(Failed { status, unseen });
                    }
                },
            }
        }
        let text = "no connection lasts long enough to send a call";
        Err(wire::status(ErrorKind::Unavailable, text).into())
    }
}

fn append(proof: &HeaderMap, head: &mut Parts) {
    for (name, value) in proof {
        head.headers.append(name.clone(), value.clone());
    }
}

/// The code of an answer that has no messages; nothing where they are still to come.
pub(super) fn code_of(response: &Response<Body>) -> Option<Code> {
    if let Some(status) = response.headers().get(STATUS) {
        return Some(Code::from_bytes(status.as_bytes()));
    }
    // gRPC's "HTTP to gRPC Status Code Mapping", for answers of whatever stands before a server.
    match response.status() {
        StatusCode::OK => None,
        StatusCode::BAD_REQUEST => Some(Code::Internal),
        StatusCode::UNAUTHORIZED => Some(Code::Unauthenticated),
        StatusCode::FORBIDDEN => Some(Code::PermissionDenied),
        StatusCode::NOT_FOUND => Some(Code::Unimplemented),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Some(Code::Unavailable),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Some(Code::ResourceExhausted),
        _ => Some(Code::Unknown),
    }
}

/// What a call says whose metadata the server does not take. HTTP/2 itself refuses it there, before any gRPC, and the
/// mapping has no code for that.
pub(super) fn too_large(response: &Response<Body>) -> Option<Status> {
    let refused = response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        && !response.headers().contains_key(STATUS);
    refused.then(|| {
        let text = "the metadata of the request is over the limit of the server";
        wire::status(ErrorKind::Exhausted, text)
    })
}

/// Tells whether the server says that it gave the call to no handler: it refused the stream, or had stopped before it
/// (RFC 9113, section 8.7).
pub(crate) fn is_unseen(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        cause.is_remote() && (cause.is_go_away() || cause.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Tells whether a call ended because the server had given up the connection before it.
pub(super) fn is_given_up(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(said) = error.downcast_ref::<h2::Error>() {
            return said.is_remote() && said.is_go_away();
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use http::Response;
    use tonic::{Code, body::Body};

    use super::code_of;

    #[test]
    fn an_answer_without_grpc_s_own_status_has_the_code_of_its_http_status() {
        for (http, code) in [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (431, Code::ResourceExhausted),
            (500, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
        ] {
            let response = Response::builder().status(http).body(Body::empty()).unwrap();
            assert_eq!(code_of(&response), Some(code), "{http}");
        }
    }

    #[test]
    fn an_answer_with_messages_to_come_has_no_code_yet_and_grpc_s_own_counts_before_http_s() {
        let answer = |http: u16, own: &[&str]| {
            let mut response = Response::builder().status(http);
            for status in own {
                response = response.header("grpc-status", *status);
            }
            code_of(&response.body(Body::empty()).unwrap())
        };
        assert_eq!(answer(200, &[]), None);
        assert_eq!(answer(200, &["0"]), Some(Code::Ok));
        assert_eq!(answer(503, &["5"]), Some(Code::NotFound));
    }
}
