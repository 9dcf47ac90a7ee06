//! The server's end of a tunnel: a byte stream to a service of another machine.
//!
//! What it leaves to others: which machine runs a service, and who may reach it (`services`, the doors).

mod pump;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::StreamExt as _;
use model::{ErrorKind, ServiceId};
use rpc::link::Reach;
use tasks::{Policy, Tasks};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use wire::soke::agent::v1::{
    TunnelRequest, TunnelResponse, tunnel_agent_service_client::TunnelAgentServiceClient, tunnel_request,
    tunnel_response,
};

pub(crate) use pump::{Part, WAITING, pump};

/// The bytes that wait between the tunnel and whoever uses it, each way.
const BETWEEN: usize = 64 * 1024;

/// An open tunnel. A tunnel that broke reads as an error and never as an end; dropping it ends it.
#[derive(Debug)]
pub struct Tunnel {
    bytes: DuplexStream,
    broken: CancellationToken,
    _dropped: DropGuard,
}

/// Opens a tunnel to a port of a service over the link to its machine.
///
/// # Errors
/// Unavailable where the machine has no link, or nothing listens on the port; not found where the machine says that
/// the service has no such port.
pub async fn open(reach: Reach, service: ServiceId, port: u16, tasks: &Tasks) -> Result<Tunnel, Status> {
    let (parts, requests) = mpsc::channel(WAITING);
    let first = tunnel_request::Part::Open(tunnel_request::Open {
        service_id: service.to_string(),
        port: u32::from(port),
    });
    let first = futures::stream::iter([TunnelRequest { part: Some(first) }]);
    let requests = first.chain(ReceiverStream::new(requests).map(request));
    let mut client = TunnelAgentServiceClient::new(reach);
    let mut responses = client.tunnel(requests).await?.into_inner();
    let opened = responses.message().await?.and_then(|response| response.part);
    if !matches!(opened, Some(tunnel_response::Part::Opened(_))) {
        return Err(unavailable("the machine does not open the tunnel"));
    }
    let (near, mut far) = duplex(BETWEEN);
    let (broken, dropped) = (CancellationToken::new(), CancellationToken::new());
    let (says, ends, stopping) = (broken.clone(), dropped.clone(), tasks.token());
    tasks.spawn("tunnel", Policy::MayEnd, async move {
        let pumped = tokio::select! {
            biased;
            () = ends.cancelled() => return,
            () = stopping.cancelled() => Err(unavailable("the server stops")),
            pumped = pump(&mut far, responses.map(response), parts) => pumped,
        };
        if let Err(status) = pumped {
            tracing::debug!(%status, "a tunnel broke");
            // Said before the stream closes, so that no reader takes that for an end.
            says.cancel();
        }
    });
    Ok(Tunnel {
        bytes: near,
        broken,
        _dropped: dropped.drop_guard(),
    })
}

fn request(part: Part) -> TunnelRequest {
    let part = match part {
        Part::Data(bytes) => tunnel_request::Part::Data(bytes),
        Part::Taken(count) => tunnel_request::Part::Taken(count),
    };
    TunnelRequest { part: Some(part) }
}

fn response(response: Result<TunnelResponse, Status>) -> Result<Part, Status> {
    match response?.part {
        Some(tunnel_response::Part::Data(bytes)) => Ok(Part::Data(bytes)),
        Some(tunnel_response::Part::Taken(count)) => Ok(Part::Taken(count)),
        Some(tunnel_response::Part::Opened(_)) | None => Err(unavailable("the machine says what is no part")),
    }
}

fn unavailable(text: &str) -> Status {
    wire::status(ErrorKind::Unavailable, text)
}

impl Tunnel {
    fn fault(&self) -> io::Result<()> {
        if self.broken.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the tunnel broke"));
        }
        Ok(())
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.bytes).poll_read(cx, buf))?;
        if buf.filled().len() == before && buf.remaining() > 0 {
            self.fault()?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.fault()?;
        Pin::new(&mut self.bytes).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(cx)
    }
}
