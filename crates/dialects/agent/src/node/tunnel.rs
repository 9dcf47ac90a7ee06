//! The machine's end of tunnels: connections to ports of services that it runs, and to no others.
//!
//! What it leaves to others: which services run here and on which ports ([`Ports`], implemented by the machine's half
//! of services).

use std::{net::Ipv4Addr, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, future::BoxFuture};
use model::{ErrorKind, ServiceId};
use tasks::{Policy, Tasks};
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, service::RoutesBuilder};
use wire::{
    FieldFaults,
    soke::agent::v1::{
        TunnelRequest, TunnelResponse, tunnel_agent_service_server as served, tunnel_request, tunnel_response,
    },
};

use crate::tunnel::{Part, WAITING, pump};

/// The longest time until a service's port takes a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Which ports of this machine belong to services that it runs.
pub trait Ports: Send + Sync + 'static {
    /// Whether this service runs here now and this port of loopback is its own.
    fn has(&self, service: ServiceId, port: u16) -> BoxFuture<'_, bool>;
}

/// Adds the machine's end of tunnels to what it serves.
pub fn add_tunnels(work: &mut RoutesBuilder, ports: Arc<dyn Ports>, tasks: &Tasks) {
    let tasks = tasks.clone();
    work.add_service(served::TunnelAgentServiceServer::new(Tunnels { ports, tasks }));
}

struct Tunnels {
    ports: Arc<dyn Ports>,
    tasks: Tasks,
}

type Responses = Pin<Box<dyn Stream<Item = Result<TunnelResponse, Status>> + Send>>;

#[tonic::async_trait]
impl served::TunnelAgentService for Tunnels {
    async fn tunnel(
        &self,
        request: Request<Streaming<TunnelRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|request| request.part);
        let Some(tunnel_request::Part::Open(open)) = first else {
            return Err(wire::status(ErrorKind::Invalid, "a tunnel begins with open"));
        };
        let (service, port) = place(&open)?;
        if !self.ports.has(service, port).await {
            let text = "no service of this machine has this port";
            return Err(wire::status(ErrorKind::NotFound, text));
        }
        let connecting = timeout(CONNECT, TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await;
        let mut tcp = match connecting {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(_refused)) => {
                let text = "the service does not listen on its port";
                return Err(wire::status(ErrorKind::Unavailable, text));
            }
            Err(_elapsed) => {
                let text = "the service takes no connection";
                return Err(wire::status(ErrorKind::Unavailable, text));
            }
        };
        // It only costs a delay where the system refuses this.
        drop(tcp.set_nodelay(true));
        let (answers, answered) = mpsc::channel(WAITING);
        let (parts, said) = mpsc::channel(WAITING);
        let stopping = self.tasks.token();
        self.tasks.spawn("tunnel", Policy::MayEnd, async move {
            let gone = answers.clone();
            let relay = ReceiverStream::new(said).map(|part| Ok(response(part)));
            let pumped = tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = gone.closed() => return,
                pumped = carry(&mut tcp, requests, parts, relay, &answers) => pumped,
            };
            if let Err(status) = pumped {
                // The other side may be gone already.
                drop(answers.send(Err(status)).await);
            }
        });
        let opened = tunnel_response::Part::Opened(tunnel_response::Opened {});
        let opened = futures::stream::iter([Ok(TunnelResponse { part: Some(opened) })]);
        Ok(Response::new(Box::pin(
            opened.chain(ReceiverStream::new(answered)),
        )))
    }
}

type Answers = mpsc::Sender<Result<TunnelResponse, Status>>;

/// Carries bytes both ways, and passes on what is said of them, to the last.
async fn carry(
    tcp: &mut TcpStream,
    requests: Streaming<TunnelRequest>,
    parts: mpsc::Sender<Part>,
    relay: impl Stream<Item = Result<TunnelResponse, Status>>,
    answers: &Answers,
) -> Result<(), Status> {
    let mut relay = Box::pin(relay);
    let passing = async {
        while let Some(said) = relay.next().await {
            if answers.send(said).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let (pumped, _passed) = tokio::try_join!(pump(tcp, requests.map(part), parts), passing)?;
    Ok(pumped)
}

fn place(open: &tunnel_request::Open) -> Result<(ServiceId, u16), Status> {
    let mut faults = FieldFaults::new();
    let service = open.service_id.parse().ok();
    if service.is_none() {
        faults.add("open.service_id", "is no id", "the id of a service");
    }
    let port = u16::try_from(open.port).ok().filter(|port| *port > 0);
    if port.is_none() {
        faults.add("open.port", "is no port", "a number from 1 to 65535");
    }
    match (service, port) {
        (Some(service), Some(port)) => Ok((service, port)),
        _ => Err(faults.into_status()),
    }
}

fn part(request: Result<TunnelRequest, Status>) -> Result<Part, Status> {
    match request?.part {
        Some(tunnel_request::Part::Data(bytes)) => Ok(Part::Data(bytes)),
        Some(tunnel_request::Part::Taken(count)) => Ok(Part::Taken(count)),
        Some(tunnel_request::Part::Open(_)) | None => {
            Err(wire::status(ErrorKind::Invalid, "a tunnel is opened once"))
        }
    }
}

fn response(part: Part) -> TunnelResponse {
    let part = match part {
        Part::Data(bytes) => tunnel_response::Part::Data(bytes),
        Part::Taken(count) => tunnel_response::Part::Taken(count),
    };
    TunnelResponse { part: Some(part) }
}
