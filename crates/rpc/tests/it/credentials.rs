//! Credentials of channels and calls: where they go, and where they never go.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rpc::{
    AccessToken, CallContext, CallCredentials, CallOptions, Channel, ChannelArgs, ChannelCredentials,
    CompositeCallCredentials, Security, SecurityLevel, Target,
};
use tonic::{Code, Request, Status, metadata::MetadataMap};
use wire::grpc::testing::{Empty, StreamingOutputCallRequest, test_service_client::TestServiceClient};

use crate::{
    support::{Authority, SOON, ZONE},
    talker::{Server, one},
};

const TOKEN: &str = "canary-token";

/// Counts its calls and says which it was.
#[derive(Debug, Clone)]
struct Counting {
    calls: Arc<AtomicUsize>,
    least: SecurityLevel,
}

impl Counting {
    fn new(least: SecurityLevel) -> Self {
        let calls = Arc::default();
        Self { calls, least }
    }
}

#[tonic::async_trait]
impl CallCredentials for Counting {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        // Somebody else is asked here.
        tokio::task::yield_now().await;
        let count = self.calls.fetch_add(1, Ordering::SeqCst);
        if count == 2 {
            return Err(Status::permission_denied("no third one"));
        }
        let mut metadata = one(
            "x-proof",
            &format!("{count} {} {}", call.service_url, call.method),
        );
        metadata.append("authorization", "Counted".parse().unwrap());
        Ok(metadata)
    }

    fn minimum_security(&self) -> SecurityLevel {
        self.least
    }
}

fn client(target: &Target, credentials: &ChannelCredentials) -> TestServiceClient<Channel> {
    TestServiceClient::new(Channel::new(target, credentials, ChannelArgs::new()).unwrap())
}

fn with(credentials: Arc<dyn CallCredentials>) -> Request<Empty> {
    let mut request = Request::new(Empty::default());
    request.extensions_mut().insert(CallOptions {
        credentials: Some(credentials),
        ..CallOptions::default()
    });
    request
}

/// What comes of a call that needs nobody on the other side.
async fn at_once<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, call)
        .await
        .expect("nobody is waited for")
}

#[tokio::test]
async fn a_token_on_a_plaintext_channel_is_refused_before_anything_connects() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = Target::from(listener.local_addr().unwrap());
    let token = || AccessToken::new(TOKEN, &["127.0.0.1"]);
    for plain in [ChannelCredentials::insecure(), ChannelCredentials::local()] {
        let mut composite = client(&target, &plain.clone().with(token()));
        let composite = at_once(composite.empty_call(Empty::default())).await;
        let mut by_call = client(&target, &plain);
        let by_call = at_once(by_call.empty_call(with(Arc::new(token())))).await;
        let parts: Vec<Arc<dyn CallCredentials>> =
            vec![Arc::new(Counting::new(SecurityLevel::None)), Arc::new(token())];
        let within = Arc::new(CompositeCallCredentials::new(parts));
        let mut in_parts = client(&target, &plain);
        let in_parts = at_once(in_parts.empty_call(with(within))).await;
        for answer in [composite, by_call, in_parts] {
            let status = answer.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
            assert!(!status.to_string().contains(TOKEN), "{status}");
        }
    }
    let nobody = listener.accept().unwrap_err();
    assert_eq!(
        nobody.kind(),
        std::io::ErrorKind::WouldBlock,
        "nothing has connected"
    );
}

#[tokio::test]
async fn every_credential_of_channel_and_call_goes_along_over_tls() {
    let authority = Authority::new();
    let server = Server::start(authority.tls()).await;
    let counting = Counting::new(SecurityLevel::Private);
    let credentials = ChannelCredentials::tls(authority.trust())
        .with(AccessToken::new(TOKEN, &["elsewhere.example", ZONE]))
        .with(counting);
    let mut client = client(&server.target(), &credentials);
    for count in 0..2 {
        client.empty_call(Empty::default()).await.unwrap();
        let metadata = server.notes.metadata.lock().unwrap().pop().unwrap();
        let tokens: Vec<_> = metadata.get_all("authorization").iter().collect();
        assert_eq!(
            tokens,
            ["Bearer canary-token", "Counted"],
            "none in place of another"
        );
        let proof = metadata.get("x-proof").unwrap().to_str().unwrap();
        let port = server.serving.address().port();
        assert_eq!(
            proof,
            format!("{count} https://{ZONE}:{port}/grpc.testing.TestService EmptyCall")
        );
    }
    let status = client.empty_call(Empty::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "no third one")
    );
    assert!(
        server.notes.metadata.lock().unwrap().is_empty(),
        "nothing of that call was sent"
    );
    let parts: Vec<Arc<dyn CallCredentials>> = vec![
        Arc::new(Counting::new(SecurityLevel::None)),
        Arc::new(AccessToken::new("second", &[ZONE])),
    ];
    let by_call = with(Arc::new(CompositeCallCredentials::new(parts)));
    client.empty_call(by_call).await.unwrap();
    let metadata = server.notes.metadata.lock().unwrap().pop().unwrap();
    let tokens: Vec<_> = metadata.get_all("authorization").iter().collect();
    assert_eq!(
        tokens,
        ["Bearer canary-token", "Counted", "Counted", "Bearer second"]
    );
}

/// Gives what is the protocol's own besides its proof.
#[derive(Debug)]
struct Greedy;

#[tonic::async_trait]
impl CallCredentials for Greedy {
    async fn metadata(&self, _call: &CallContext) -> Result<MetadataMap, Status> {
        let mut metadata = one("x-proof", "of its own");
        for (name, value) in [
            ("grpc-timeout", "1n"),
            ("grpc-encoding", "gzip"),
            ("content-type", "text/plain"),
            ("te", "gzip"),
            ("user-agent", "greedy"),
        ] {
            metadata.insert(name, value.parse().unwrap());
        }
        Ok(metadata)
    }
}

#[tokio::test]
async fn a_credential_says_nothing_in_the_names_that_are_the_protocol_s_own() {
    let authority = Authority::new();
    let server = Server::start(authority.tls()).await;
    let credentials = ChannelCredentials::tls(authority.trust()).with(Greedy);
    let mut client = client(&server.target(), &credentials);
    client.empty_call(with(Arc::new(Greedy))).await.unwrap();
    let metadata = server.notes.metadata.lock().unwrap().pop().unwrap();
    assert_eq!(metadata.get_all("x-proof").iter().count(), 2);
    assert!(metadata.get("grpc-encoding").is_none());
    assert_eq!(metadata.get_all("user-agent").iter().count(), 1);
    assert_ne!(metadata.get("user-agent").unwrap(), "greedy");
    assert_eq!(*server.notes.left.lock().unwrap(), [None], "nor a deadline");
}

#[tokio::test]
async fn a_token_goes_to_no_host_that_is_not_on_its_list() {
    let authority = Authority::new();
    let server = Server::start(authority.tls()).await;
    let token = AccessToken::new(TOKEN, &["elsewhere.example"]);
    assert!(!format!("{token:?}").contains(TOKEN));
    let credentials = ChannelCredentials::tls(authority.trust()).with(token);
    let status = client(&server.target(), &credentials)
        .empty_call(Empty::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(server.notes.metadata.lock().unwrap().is_empty());
}

#[tokio::test]
async fn local_credentials_reach_this_machine_only_and_carry_what_may_stay_on_it() {
    let server = Server::start(Security::Plain).await;
    let credentials = ChannelCredentials::local().with(Counting::new(SecurityLevel::Local));
    client(&server.target(), &credentials)
        .empty_call(Empty::default())
        .await
        .unwrap();
    let metadata = server.notes.metadata.lock().unwrap().pop().unwrap();
    assert!(metadata.get("x-proof").is_some());
    let elsewhere: Target = "192.0.2.1:7443".parse().unwrap();
    let status = client(&elsewhere, &credentials)
        .empty_call(Empty::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("no address that may be used"),
        "{status}"
    );
}

/// Never has an answer, or says that all is well where it should fail.
#[derive(Debug)]
struct Odd(Option<Status>);

#[tonic::async_trait]
impl CallCredentials for Odd {
    async fn metadata(&self, _call: &CallContext) -> Result<MetadataMap, Status> {
        match &self.0 {
            Some(status) => Err(status.clone()),
            None => std::future::pending().await,
        }
    }

    fn minimum_security(&self) -> SecurityLevel {
        SecurityLevel::None
    }
}

#[tokio::test]
async fn a_call_that_waits_for_its_credentials_ends_when_its_channel_is_closed() {
    let server = Server::start(Security::Plain).await;
    let credentials = ChannelCredentials::insecure().with(Odd(None));
    let channel = Channel::new(&server.target(), &credentials, ChannelArgs::new()).unwrap();
    let mut client = TestServiceClient::new(channel.clone());
    let both = async {
        tokio::join!(
            client.empty_call(Empty::default()),
            channel.close(std::time::Duration::ZERO)
        )
    };
    let ended = tokio::time::timeout(SOON, both).await;
    let status = ended.expect("both end").0.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled, "{status}");
}

#[tokio::test]
async fn credentials_that_fail_never_make_a_success() {
    let server = Server::start(Security::Plain).await;
    let credentials = ChannelCredentials::insecure().with(Odd(Some(Status::ok("as planned"))));
    let mut client = client(&server.target(), &credentials);
    let call = client.streaming_output_call(StreamingOutputCallRequest::default());
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
}

#[tokio::test]
async fn a_token_s_hosts_may_be_addresses_in_either_spelling() {
    let authority = Authority::new();
    // Nobody is there: what the token is for is told before anything connects.
    for (target, host, goes) in [
        ("[::1]:1", "::1", true),
        ("[::1]:1", "[::1]", true),
        ("127.0.0.1:1", "127.0.0.1", true),
        ("SOKE.localhost:1", "soke.LOCALHOST", true),
        ("soke.localhost:1", "soke.localhost:1", false),
        ("soke.localhost.evil.example:1", "soke.localhost", false),
        ("[::1]:1", "::", false),
        ("soke.localhost:1", "", false),
    ] {
        let target: Target = target.parse().unwrap();
        let token = AccessToken::new(TOKEN, &[host]);
        let mut client = client(&target, &ChannelCredentials::tls(authority.trust()).with(token));
        let mut request = Request::new(Empty::default());
        request.set_timeout(std::time::Duration::from_millis(200));
        let code = client.empty_call(request).await.unwrap_err().code();
        assert_eq!(code != Code::Unauthenticated, goes, "{target} {host}: {code:?}");
    }
}

#[tokio::test]
async fn a_credential_sees_the_service_s_address_as_grpc_writes_it() {
    let authority = Authority::new();
    for (target, url) in [
        (
            "soke.localhost:443",
            "https://soke.localhost/grpc.testing.TestService",
        ),
        (
            "soke.localhost:4430",
            "https://soke.localhost:4430/grpc.testing.TestService",
        ),
        ("[::1]:443", "https://[::1]/grpc.testing.TestService"),
    ] {
        let target: Target = target.parse().unwrap();
        let credentials = ChannelCredentials::tls(authority.trust()).with(Telling);
        let status = client(&target, &credentials).empty_call(Empty::default()).await;
        assert_eq!(status.unwrap_err().message(), url);
    }
}

/// Refuses every call with the address that it was told.
#[derive(Debug)]
struct Telling;

#[tonic::async_trait]
impl CallCredentials for Telling {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        Err(Status::aborted(call.service_url.clone()))
    }
}
