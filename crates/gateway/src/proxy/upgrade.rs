//! WebSockets: after both sides have agreed, bytes both ways until one ends or the right does.
//!
//! What it leaves to others: every other upgrade; its request goes on without the wish. Frames are not looked at.

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use rpc::Upgrading;
use tasks::{Policy, Tasks};
use tokio::io::copy_bidirectional;
use tonic::body::Body;

use super::{turns::Turn, upstream::Lease};
use crate::http_door::Trouble;

/// A client's wish for a WebSocket.
pub(super) struct Wanted {
    client: OnUpgrade,
    upgrading: Upgrading,
}

impl Wanted {
    /// The wish of this request, if it has one that can be granted.
    pub(super) fn of(request: &mut Request<Body>) -> Option<Self> {
        let headers = request.headers();
        let sound = *request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && request.body().is_end_stream()
            && is_websocket(headers)
            && names_upgrade(headers);
        let upgrading = request.extensions().get::<Upgrading>().cloned()?;
        let client = request.extensions_mut().remove::<OnUpgrade>()?;
        sound.then_some(Self { client, upgrading })
    }
}

/// Joins the two sides.
pub(super) fn join(
    mut response: Response<Incoming>,
    wanted: Wanted,
    held: (Lease, Turn),
    until: BoxFuture<'static, ()>,
    tasks: &Tasks,
) -> Result<Response<Body>, Trouble> {
    if !is_websocket(response.headers()) {
        return Err(Trouble::BadAnswer);
    }
    if !wanted.upgrading.grant() {
        return Err(Trouble::Ambiguous);
    }
    let service = hyper::upgrade::on(&mut response);
    let stopping = tasks.token();
    let talk = async move {
        let (client, service) = tokio::try_join!(wanted.client, service)?;
        let (mut client, mut service) = (TokioIo::new(client), TokioIo::new(service));
        drop(copy_bidirectional(&mut client, &mut service).await);
        Ok::<(), hyper::Error>(())
    };
    tasks.spawn("websocket", Policy::MayEnd, async move {
        tokio::select! {
            biased;
            () = until => {}
            () = stopping.cancelled() => {}
            ended = talk => if let Err(error) = ended {
                tracing::debug!(%error, "a websocket did not begin");
            }
        }
        drop(held);
    });
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    for (name, value) in response.headers() {
        if name.as_str().starts_with("sec-websocket-") {
            headers.append(name, value.clone());
        }
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    Ok(answer)
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let mut wishes = headers.get_all(header::UPGRADE).iter();
    let first = wishes.next().map(HeaderValue::as_bytes).unwrap_or_default();
    first.eq_ignore_ascii_case(b"websocket") && wishes.next().is_none()
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|name| name.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}
