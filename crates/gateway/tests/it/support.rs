//! What the tests of this crate share: an open front door, and HTTP/1.1 by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway::{Config, Handle, Parts};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rpc::{ClientCertificates, Identity, Limits, ListenAddress, Target, TlsSource, Trust, server_config};
use rustls_pki_types::ServerName;
use tasks::Tasks;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{Request, Response, Status, codegen::BoxStream, service::Routes};
use wire::grpc::testing::{
    Empty, Payload, SimpleRequest, SimpleResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_client::TestServiceClient,
    test_service_server::{TestService, TestServiceServer},
};

/// The longest that any test waits for what must come.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) const ZONE: &str = "soke.localhost";

/// Counts what reaches it.
#[derive(Debug, Clone, Default)]
struct Service(Arc<AtomicUsize>);

#[tonic::async_trait]
impl TestService for Service {
    async fn empty_call(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(Empty::default()))
    }

    /// Answers the payload as it came; none is refused.
    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let payload = request.into_inner().payload;
        let payload = payload.ok_or_else(|| Status::invalid_argument("payload is missing"))?;
        Ok(Response::new(SimpleResponse {
            payload: Some(payload),
            ..SimpleResponse::default()
        }))
    }

    /// Sends one message for each that was asked for, after its interval.
    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let wanted = request.into_inner().response_parameters.into_iter();
        let stream = futures::stream::unfold(wanted, |mut wanted| async move {
            let next = wanted.next()?;
            // may sleep: the stream under test is a slow one
            tokio::time::sleep(Duration::from_micros(u64::try_from(next.interval_us).unwrap())).await;
            let body = vec![b'x'; usize::try_from(next.size).unwrap()].into();
            let payload = Some(Payload { r#type: 0, body });
            Some((Ok(StreamingOutputCallResponse { payload }), wanted))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

/// An open front door.
pub(crate) struct Door {
    pub(crate) handle: Handle,
    pub(crate) tasks: Tasks,
    authority: String,
    reached: Arc<AtomicUsize>,
}

impl Door {
    /// Opens one whose certificate also bears the name `stranger.localhost`, which it does not answer to.
    pub(crate) async fn open() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = [ZONE, "stranger.localhost", "127.0.0.1"]
            .map(ToOwned::to_owned)
            .to_vec();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let chain = format!("{}{}", certificate.pem(), authority.pem());
        let identity = Identity::from_pem(&chain, &key.serialize_pem()).unwrap();
        let config = server_config(identity, &ClientCertificates::Unasked).unwrap();
        let service = Service::default();
        let reached = Arc::clone(&service.0);
        let tasks = Tasks::new();
        let handle = gateway::start(Parts {
            links: None,
            config: Config {
                listen: ListenAddress::loopback(0),
                limits: Limits {
                    head: Duration::from_secs(2),
                    ..Limits::default()
                },
                ..Config::default()
            },
            routes: Routes::new(TestServiceServer::new(service)),
            tls: TlsSource::new(config),
            allowed_hosts: vec![ZONE.to_owned(), "zone.example".to_owned()],
            tasks: tasks.clone(),
        })
        .await
        .unwrap();
        Self {
            handle,
            tasks,
            authority: authority.pem(),
            reached,
        }
    }

    /// How many calls have reached a handler.
    pub(crate) fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::Authority {
            pem: self.authority.clone(),
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target::from(self.handle.address())
            .with_server_name(ZONE)
            .unwrap()
    }

    pub(crate) async fn client(&self, trust: &Trust) -> TestServiceClient<rpc::Channel> {
        TestServiceClient::new(rpc::connect(&self.target(), trust).await.unwrap())
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.handle.address()).await.unwrap()
    }

    /// A TLS connection that asks for this server name (none for an IP address).
    pub(crate) async fn tls(&self, name: &'static str, protocol: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        for one in rustls_pki_types::pem::PemObject::pem_slice_iter(self.authority.as_bytes()) {
            roots.add(one.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from(name).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, self.tcp().await).await.unwrap()
    }

    /// Sends a whole HTTP/1.1 request over plain TCP and reads the answer.
    pub(crate) async fn plain(&self, request: &[u8]) -> Answer {
        exchange(self.tcp().await, request).await
    }

    /// A GET over plain TCP with a good host.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.plain(head("GET", path, "soke.localhost:7443", "").as_bytes())
            .await
    }
}

/// The head of a request that closes its connection; `more` are further lines.
pub(crate) fn head(method: &str, path: &str, host: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n")
}

/// An answer in pieces.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lines in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .headers
            .iter()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a whole request and reads until the server closes.
pub(crate) async fn exchange<I: AsyncRead + AsyncWrite + Unpin>(mut io: I, request: &[u8]) -> Answer {
    // The server may answer and close before it has read everything.
    drop(io.write_all(request).await);
    drop(io.flush().await);
    let mut said = Vec::new();
    drop(
        timeout(SOON, io.read_to_end(&mut said))
            .await
            .expect("the server closes"),
    );
    let end = said.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(&said)));
    let head = String::from_utf8(said[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines.map(str::to_ascii_lowercase).collect();
    let raw = &said[end + 4..];
    let chunked = headers.iter().any(|line| line == "transfer-encoding: chunked");
    let body = if chunked { unchunked(raw) } else { raw.to_vec() };
    Answer {
        status,
        headers,
        body,
    }
}

fn unchunked(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = raw
            .windows(2)
            .position(|two| two == b"\r\n")
            .expect("a chunk has a size");
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend(&raw[line + 2..line + 2 + size]);
        raw = &raw[line + 2 + size + 2..];
    }
}
