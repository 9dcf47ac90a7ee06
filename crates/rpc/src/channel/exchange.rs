//! One call over a channel: what goes along with it, and the head of its answer.
//!
//! What it leaves to others: the connection (`keep`), what credentials say (`credentials`), and the bodies (`bodies`).

use std::sync::Arc;

use http::{HeaderValue, Request, Response, header};
use model::ErrorKind;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};

use super::{CallOptions, bodies::Sending, keep::Core};
use crate::{Deadline, credentials, gzip};

/// How a channel names itself that has no other name.
const AGENT: &str = concat!("soke/", env!("CARGO_PKG_VERSION"));

/// How often a call that was not sent goes to another connection.
const TRIES: usize = 5;

/// A call on its way out.
pub(super) struct Going<'a> {
    pub(super) core: &'a Core,
    pub(super) options: &'a CallOptions,
    pub(super) deadline: Option<&'a Deadline>,
    pub(super) token: &'a CancellationToken,
}

/// The answer to a call that its own side gave up.
pub(super) fn cancelled(text: &'static str) -> Status {
    Status::new(Code::Cancelled, text)
}

/// What ends a body that nobody waits for. The connection takes the code of its reset from here.
pub(super) fn given_up() -> Status {
    let mut status = cancelled("the call was given up");
    status.set_source(Arc::new(h2::Error::from(h2::Reason::CANCEL)));
    status
}

impl Going<'_> {
    /// Sends the call and waits for the head of its answer. What may not be sent is refused before anything connects.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let Self { core, options, .. } = self;
        core.origin.complete(request.uri_mut());
        let both = core.credentials.iter().chain(&options.credentials);
        for (name, value) in &credentials::metadata(both, core.security, request.uri()).await? {
            request.headers_mut().append(name.clone(), value.clone());
        }
        let headers = request.headers_mut();
        let agent = core.args.user_agent.as_deref().unwrap_or(AGENT);
        if let Ok(agent) = HeaderValue::from_str(agent) {
            headers.insert(header::USER_AGENT, agent);
        }
        headers.insert(gzip::ACCEPT, gzip::UNDERSTOOD);
        let (mut head, body) = request.into_parts();
        let body = Sending::new(body, core, options, self.token, &mut head.headers);
        let mut request = Request::from_parts(head, Body::new(body));
        let wait = options.wait_for_ready.unwrap_or(core.args.wait_for_ready);
        for _ in 0..TRIES {
            let mut sender = core.sender(wait).await?;
            // Waiting for a connection took a part of what was allowed.
            if let Some(deadline) = self.deadline {
                deadline.tell(request.headers_mut());
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(Body::new)),
                Err(mut failed) => match failed.take_message() {
                    Some(back) => request = back,
                    None => return Err(core.broke(failed.into_error())),
                },
            }
        }
        Err(wire::status(
            ErrorKind::Unavailable,
            "no connection lasts long enough to send a call",
        ))
    }
}
