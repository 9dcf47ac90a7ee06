//! What the tests of this crate share: an authority, a service that shows what it sees, raw connections.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::Request;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rpc::{
    CallLimits, Calls, Channel, ClientCertificates, Deadline, Fingerprint, Identity, Limits, ListenAddress,
    Listener, PeerInfo, Security, Serving, Target, TlsSource, Trust, server_config,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tasks::{Clock, Tasks};
use tokio::net::TcpStream;
use tonic::{Response, Status, Streaming, body::Body, codegen::BoxStream, service::Routes};
use wire::grpc::testing::{
    Empty, Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_client::TestServiceClient,
    test_service_server::{TestService, TestServiceServer},
};

/// The longest that any test waits for what must come.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) const ZONE: &str = "soke.localhost";

/// A certificate authority for one test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("test zone")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.der())
    }

    pub(crate) fn issue(&self, names: &[&str]) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        (certificate.der().clone(), key)
    }

    /// A chain and its key as PEM.
    pub(crate) fn pem_of(&self, names: &[&str]) -> (String, String) {
        let (certificate, key) = self.issue(names);
        let chain = pem::encode(&pem::Pem::new("CERTIFICATE", certificate.as_ref()));
        let key = pem::encode(&pem::Pem::new("PRIVATE KEY", key.secret_der()));
        (chain + &self.pem(), key)
    }

    /// One that is valid between two points in time, in seconds since 1970.
    pub(crate) fn identity_for(&self, names: &[&str], from: i64, until: i64) -> Identity {
        let since = |secs: i64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(secs.unsigned_abs());
        let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (since(from), since(until));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Identity::new(vec![certificate.der().clone(), self.0.der().clone()], key)
    }

    pub(crate) fn identity(&self, names: &[&str]) -> Identity {
        let (certificate, key) = self.issue(names);
        Identity::new(vec![certificate, self.0.der().clone()], key)
    }

    pub(crate) fn config(&self) -> Arc<rustls::ServerConfig> {
        server_config(self.identity(&[ZONE, "127.0.0.1"]), &ClientCertificates::Unasked).unwrap()
    }

    pub(crate) fn tls(&self) -> Security {
        Security::Tls(TlsSource::new(self.config()))
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::Authority { pem: self.pem() }
    }
}

/// What the test service has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) running: AtomicUsize,
    pub(crate) started: AtomicUsize,
    pub(crate) uploads: Mutex<Vec<Result<i32, tonic::Code>>>,
    pub(crate) peers: Mutex<Vec<PeerInfo>>,
    pub(crate) deadlines: Mutex<Vec<Option<Duration>>>,
    /// When each handler, or its stream, was dropped.
    pub(crate) gone: Mutex<Vec<Instant>>,
}

impl Seen {
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    fn enter(self: &Arc<Self>) -> Running {
        self.started.fetch_add(1, Ordering::SeqCst);
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(self))
    }
}

/// Counts a handler for as long as it lives.
struct Running(Arc<Seen>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.gone.lock().unwrap().push(Clock::system().monotonic());
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Service(pub(crate) Arc<Seen>);

fn message(size: i32) -> Option<Payload> {
    let body = vec![b'x'; usize::try_from(size).unwrap()].into();
    Some(Payload { r#type: 0, body })
}

#[tonic::async_trait]
impl TestService for Service {
    /// Notes the peer and the deadline.
    async fn empty_call(&self, request: tonic::Request<Empty>) -> Result<Response<Empty>, Status> {
        let peer = request.extensions().get::<PeerInfo>().cloned();
        self.0.peers.lock().unwrap().extend(peer);
        let left = request
            .extensions()
            .get::<Deadline>()
            .map(Deadline::time_remaining);
        self.0.deadlines.lock().unwrap().push(left);
        Ok(Response::new(Empty::default()))
    }

    /// Waits as many milliseconds as `response_size` says; a negative one is a panic.
    async fn unary_call(
        &self,
        request: tonic::Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let _running = self.0.enter();
        let wait = u64::try_from(request.get_ref().response_size).expect("as planned by this test");
        if wait > 0 {
            // may sleep: the call under test is a slow one
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        Ok(Response::new(SimpleResponse::default()))
    }

    /// Sends what was asked for; a negative interval repeats its message without pause and without end.
    async fn streaming_output_call(
        &self,
        request: tonic::Request<StreamingOutputCallRequest>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        let running = self.0.enter();
        let wanted = request.into_inner().response_parameters.into_iter();
        let stream = futures::stream::unfold((wanted, running), |(mut wanted, running)| async move {
            let next = wanted.next()?;
            match u64::try_from(next.interval_us) {
                // may sleep: the stream under test is a slow one
                Ok(micros) => tokio::time::sleep(Duration::from_micros(micros)).await,
                Err(_negative) => wanted = vec![next].into_iter(),
            }
            let payload = message(next.size);
            Some((Ok(StreamingOutputCallResponse { payload }), (wanted, running)))
        });
        Ok(Response::new(Box::pin(stream)))
    }

    /// Notes how the upload ended.
    async fn streaming_input_call(
        &self,
        request: tonic::Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let _running = self.0.enter();
        let mut stream = request.into_inner();
        let mut total = 0;
        loop {
            match stream.message().await {
                Ok(Some(part)) => {
                    total += i32::try_from(part.payload.map_or(0, |payload| payload.body.len())).unwrap()
                }
                Ok(None) => break,
                Err(status) => {
                    self.0.uploads.lock().unwrap().push(Err(status.code()));
                    return Err(status);
                }
            }
        }
        self.0.uploads.lock().unwrap().push(Ok(total));
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size: total,
        }))
    }
}

/// A served test service.
pub(crate) struct Server {
    pub(crate) serving: Serving,
    pub(crate) seen: Arc<Seen>,
    pub(crate) tasks: Tasks,
}

pub(crate) fn quick() -> Limits {
    Limits {
        handshake: Duration::from_millis(400),
        head: Duration::from_millis(400),
        drain: Duration::from_millis(500),
        ..Limits::default()
    }
}

impl Server {
    pub(crate) async fn start(security: Security, limits: Limits) -> Self {
        Self::start_on(ListenAddress::loopback(0), security, limits).await
    }

    pub(crate) async fn start_on(address: ListenAddress, security: Security, limits: Limits) -> Self {
        let tasks = Tasks::new();
        let service = Service::default();
        let seen = Arc::clone(&service.0);
        let server = TestServiceServer::new(service).max_decoding_message_size(usize::MAX);
        let calls = Calls::new(Routes::new(server), CallLimits::default());
        let listener = Listener::bind(address, security).await.unwrap();
        let serving = rpc::serve(listener, calls, &tasks, limits);
        Self { serving, seen, tasks }
    }

    pub(crate) fn target(&self) -> Target {
        Target::from(self.serving.address())
            .with_server_name(ZONE)
            .unwrap()
    }

    pub(crate) async fn client(&self, trust: &Trust) -> TestServiceClient<Channel> {
        TestServiceClient::new(rpc::connect(&self.target(), trust).await.unwrap())
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.serving.address()).await.unwrap()
    }
}

pub(crate) fn waits(millis: i32) -> SimpleRequest {
    SimpleRequest {
        response_size: millis,
        ..SimpleRequest::default()
    }
}

/// A bare HTTP/2 connection without TLS, for what no gRPC library sends. Its tasks end with it.
pub(crate) async fn bare(server: &Server) -> SendRequest<Body> {
    bare_to(server.serving.address()).await
}

/// The same to any address.
pub(crate) async fn bare_to(address: std::net::SocketAddr) -> SendRequest<Body> {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(1024 * 1024)
        .handshake(io)
        .await
        .unwrap();
    let name = "bare connection";
    Tasks::new().spawn(name, tasks::Policy::MayEnd, async move {
        drop(connection.await);
    });
    sender
}

/// A gRPC request with an empty message.
pub(crate) fn post(path_and_query: &str) -> Request<Body> {
    let body = http_body_util::Full::new(bytes::Bytes::from_static(&[0; 5]));
    let uri = format!("http://{ZONE}{path_and_query}");
    Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(body))
        .unwrap()
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let held = testbed::eventually(SOON, async || condition()).await;
    assert!(held, "in vain: {what}");
}
