//! Certificates that prove nothing, and certificates that change while calls go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::StreamExt as _;
use rpc::{
    AccessToken, Channel, ChannelArgs, ChannelCredentials, ChannelState, ClientCertificates, Identity,
    Security, TlsSource, Trust, link::Holder, server_config,
};
use rustls::ServerConfig;
use tasks::{Clock, Policy, Tasks};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use wire::grpc::testing::{
    Empty, ResponseParameters, StreamingOutputCallRequest, test_service_client::TestServiceClient,
};

use crate::{
    support::{Authority, SOON, ZONE},
    talker::Server,
};

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A life that has ended, one that has not begun, and one that goes on.
const PAST: (i64, i64) = (-7200, -3600);
const FUTURE: (i64, i64) = (3600, 7200);
const PRESENT: (i64, i64) = (-3600, 3600);

fn identity(authority: &Authority, names: &[&str], (from, until): (i64, i64)) -> Identity {
    let now = now();
    authority.identity_for(names, now + from, now + until)
}

fn client(server: &Server, credentials: &ChannelCredentials) -> (Channel, TestServiceClient<Channel>) {
    let channel = Channel::new(&server.target(), credentials, ChannelArgs::new()).unwrap();
    (channel.clone(), TestServiceClient::new(channel))
}

/// That a call over these credentials finds no connection, and that nothing of it reached a handler.
async fn finds_none(server: &Server, credentials: &ChannelCredentials, said: &str) {
    for tries in 1.. {
        let token = AccessToken::new("canary-token", &[ZONE]);
        let (channel, mut client) = client(server, &credentials.clone().with(token));
        let answer = timeout(SOON, client.empty_call(Empty::default())).await;
        let status = answer.expect("it ends").unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(!status.to_string().contains("canary"), "{status}");
        assert_eq!(channel.state(false), ChannelState::TransientFailure);
        assert!(server.notes.metadata.lock().unwrap().is_empty(), "{said}");
        if status.message().contains(said) {
            return;
        }
        // A system that closes on a peer who is still sending may take back the word that says why.
        assert!(tries < 20, "{said}: {status}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_prove_itself_gets_neither_call_nor_token() {
    let (authority, other) = (Authority::new(), Authority::named("other zone"));
    let alike = Authority::new();
    let trusting = ChannelCredentials::tls(authority.trust());
    let pinned = ChannelCredentials::tls(Trust::Fingerprint(authority.fingerprint()));
    for (identity, said) in [
        (identity(&other, &[ZONE], PRESENT), "UnknownIssuer"),
        (identity(&alike, &[ZONE], PRESENT), "invalid peer certificate"),
        (identity(&authority, &[ZONE], PAST), "expired"),
        (identity(&authority, &[ZONE], FUTURE), "not valid yet"),
        (
            identity(&authority, &["other.localhost"], PRESENT),
            "not valid for name",
        ),
    ] {
        let config = server_config(identity, &ClientCertificates::Unasked).unwrap();
        let server = Server::start(Security::Tls(TlsSource::new(config))).await;
        finds_none(&server, &trusting, said).await;
        finds_none(&server, &pinned, said).await;
    }
    let server = Server::start(authority.tls()).await;
    let (_, mut client) = client(&server, &trusting);
    client.empty_call(Empty::default()).await.unwrap();
}

/// Settings of a server that wants certificates of its callers.
fn mutual(authority: &Authority, life: (i64, i64)) -> Arc<ServerConfig> {
    let authorities = authority.pem();
    let identity = identity(authority, &[ZONE], life);
    server_config(identity, &ClientCertificates::Required { authorities }).unwrap()
}

#[tokio::test]
async fn a_caller_that_does_not_prove_itself_finds_no_connection() {
    let (authority, other) = (Authority::new(), Authority::named("other zone"));
    let alike = Authority::new();
    let config = mutual(&authority, PRESENT);
    let server = Server::start(Security::Tls(TlsSource::new(config))).await;
    let showing =
        |identity| ChannelCredentials::mutual_tls(authority.trust(), Holder::new(identity).unwrap());
    for (credentials, said) in [
        (ChannelCredentials::tls(authority.trust()), "CertificateRequired"),
        (showing(identity(&other, &["caller"], PRESENT)), "UnknownCA"),
        (showing(identity(&alike, &["caller"], PRESENT)), "fatal alert"),
        (
            showing(identity(&authority, &["caller"], PAST)),
            "CertificateExpired",
        ),
    ] {
        finds_none(&server, &credentials, said).await;
    }
    let (_, mut client) = client(&server, &showing(identity(&authority, &["caller"], PRESENT)));
    client.empty_call(Empty::default()).await.unwrap();
    let context = server.notes.contexts.lock().unwrap().pop().unwrap();
    assert_eq!(context.security(), rpc::SecurityLevel::Private);
}

/// What callers share while certificates change.
struct Load {
    server: Server,
    credentials: ChannelCredentials,
    done: AtomicBool,
    calls: AtomicUsize,
    failed: std::sync::Mutex<Vec<Status>>,
}

impl Load {
    fn note<T>(&self, outcome: Result<T, Status>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.failed.lock().unwrap().extend(outcome.err());
    }

    fn goes_on(&self) -> bool {
        !self.done.load(Ordering::SeqCst)
    }

    /// One call after the other, over one channel or each over a channel of its own.
    async fn calls(&self, fresh: bool) {
        let (_, mut kept) = client(&self.server, &self.credentials);
        while self.goes_on() {
            if fresh {
                kept = client(&self.server, &self.credentials).1;
            }
            self.note(kept.empty_call(Empty::default()).await);
            // may sleep: callers leave the machine some room
            tokio::time::sleep(Duration::from_millis(if fresh { 20 } else { 2 })).await;
        }
    }

    /// One call of both directions that lasts as long as all.
    async fn talk(&self) {
        let (_, mut client) = client(&self.server, &self.credentials);
        let (ask, asked) = mpsc::channel(1);
        let call = client.full_duplex_call(ReceiverStream::new(asked)).await;
        let mut stream = match call {
            Ok(answers) => answers.into_inner(),
            Err(status) => return self.note(Err::<(), _>(status)),
        };
        let mut answered = stream.message().await.and_then(some);
        while self.goes_on() && answered.is_ok() {
            ask.send(sized(7)).await.unwrap();
            answered = stream.message().await.and_then(some);
            // may sleep: callers leave the machine some room
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.note(answered);
        drop(ask);
        let rest: Vec<_> = stream.collect().await;
        assert!(rest.is_empty(), "{rest:?}");
    }
}

fn some<T>(answer: Option<T>) -> Result<T, Status> {
    answer.ok_or_else(|| Status::data_loss("the answers ended"))
}

fn sized(size: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size,
            ..ResponseParameters::default()
        }],
        ..StreamingOutputCallRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r01_certificates_of_both_sides_are_renewed_under_load_without_one_failed_call() {
    let full = std::env::var("SOKE_TEST_FULL").is_ok_and(|value| value == "1");
    // How long a certificate lives and how long this goes on, in seconds; renewed after a third of its life.
    let (life, long) = if full { (60, 300) } else { (6, 13) };
    let authority = Authority::new();
    let valid = (-60, life);
    let source = TlsSource::new(mutual(&authority, valid));
    let first = Holder::new(identity(&authority, &["caller"], valid)).unwrap();
    let holder = Holder::new(identity(&authority, &["caller"], valid)).unwrap();
    let load = Arc::new(Load {
        server: Server::start(Security::Tls(source.clone())).await,
        credentials: ChannelCredentials::mutual_tls(authority.trust(), holder.clone()),
        done: AtomicBool::new(false),
        calls: AtomicUsize::new(0),
        failed: std::sync::Mutex::default(),
    });
    let (tasks, ended) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
    for caller in 0..4 {
        let (load, ended) = (Arc::clone(&load), Arc::clone(&ended));
        tasks.spawn("caller", Policy::MayEnd, async move {
            match caller {
                0 => load.talk().await,
                1 => load.calls(false).await,
                _ => load.calls(true).await,
            }
            ended.fetch_add(1, Ordering::SeqCst);
        });
    }
    let clock = Clock::system();
    let begin = clock.monotonic();
    let third = Duration::from_secs(life.unsigned_abs()) / 3;
    let mut renewed = 0;
    while begin.elapsed() < Duration::from_secs(long) {
        // may sleep: certificates age in real time
        tokio::time::sleep(third).await;
        source.swap(mutual(&authority, valid));
        holder.swap(identity(&authority, &["caller"], valid)).unwrap();
        renewed += 1;
    }
    load.done.store(true, Ordering::SeqCst);
    let all = testbed::eventually(SOON, async || ended.load(Ordering::SeqCst) == 4).await;
    assert!(all, "every caller ends");
    let (calls, failed) = (
        load.calls.load(Ordering::SeqCst),
        load.failed.lock().unwrap().len(),
    );
    println!("{calls} calls beside {renewed} renewals of certificates that live {life} s, {failed} failed");
    assert_eq!(failed, 0, "{:?}", load.failed.lock().unwrap().first());
    assert!(calls > 100, "{calls}");
    // Those of the begin are no good any more.
    let stale = ChannelCredentials::mutual_tls(authority.trust(), first);
    let (_, mut client) = client(&load.server, &stale);
    // The refusal may come as the server's word or, where the caller was still writing, as the end of the connection.
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().starts_with("no connection"), "{status}");
}

#[tokio::test]
async fn another_certificate_is_what_the_next_connection_of_a_channel_shows() {
    let authority = Authority::new();
    let config = mutual(&authority, PRESENT);
    let server = Server::start(Security::Tls(TlsSource::new(config))).await;
    let holder = Holder::new(identity(&authority, &["first"], PRESENT)).unwrap();
    let credentials = ChannelCredentials::mutual_tls(authority.trust(), holder.clone());
    let args = ChannelArgs::new()
        .with("grpc.client_idle_timeout_ms", 50)
        .unwrap();
    let channel = Channel::new(&server.target(), &credentials, args).unwrap();
    let mut client = TestServiceClient::new(channel.clone());
    for name in ["first", "second", "third"] {
        holder.swap(identity(&authority, &[name], PRESENT)).unwrap();
        client.empty_call(Empty::default()).await.unwrap();
        let context = server.notes.contexts.lock().unwrap().pop().unwrap();
        assert_eq!(context.peer_identity(), [name]);
        crate::support::eventually("the connection is given up", || {
            channel.state(false) == rpc::ChannelState::Idle
        })
        .await;
    }
}

#[tokio::test]
async fn who_has_to_show_a_certificate_shows_it_with_every_connection() {
    let authority = Authority::new();
    let server = Server::start(Security::Tls(TlsSource::new(mutual(&authority, PRESENT)))).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let (certificate, key) = authority.issue(&["caller"]);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    for _ in 0..2 {
        let tcp = tokio::net::TcpStream::connect(server.serving.address())
            .await
            .unwrap();
        let name = rustls_pki_types::ServerName::try_from(ZONE).unwrap();
        let tls = connector.connect(name, tcp).await.unwrap();
        let kind = tls.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full));
        // A call, so that everything that the server has to say after the handshake has come.
        let io = hyper_util::rt::TokioIo::new(tls);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        let tasks = Tasks::new();
        tasks.spawn(
            "connection",
            Policy::MayEnd,
            async move { drop(connection.await) },
        );
        let call = crate::support::post("/grpc.testing.TestService/EmptyCall");
        assert_eq!(sender.send_request(call).await.unwrap().status(), 200);
    }
}
