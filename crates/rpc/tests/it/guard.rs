//! Who calls, found out before a handler begins, and what a service shows of itself with its answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rpc::{
    Arriving, Authenticator, CallContext, CallCredentials, CallLimits, Calls, Channel, Limits, ListenAddress,
    Listener, Security, SecurityLevel, Serving, Target, Trust,
};
use tasks::Tasks;
use tokio::time::timeout;
use tonic::{Code, Request, Response, Status, metadata::MetadataMap, service::Routes};
use wire::hello::{
    HelloRequest, HelloResponse,
    hello_service_client::HelloServiceClient,
    hello_service_server::{HelloService, HelloServiceServer},
};

use crate::{
    support::{Authority, SOON, ZONE, bare_to, post},
    talker::{fed, one},
};

/// Whom the test's authenticator finds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Guest {
    name: String,
    safe: bool,
}

/// Believes a name that is sent along, asks nobody, and takes its time where it is told to.
struct Porter;

#[tonic::async_trait]
impl Authenticator for Porter {
    type Principal = Guest;

    async fn authenticate(&self, call: &Arriving<'_>) -> Result<Guest, Status> {
        // Somebody else is asked here.
        tokio::task::yield_now().await;
        assert!(call.peer().is_some_and(rpc::PeerInfo::is_loopback));
        let name = call.metadata().get("x-name").and_then(|name| name.to_str().ok());
        match name {
            Some("slow") => std::future::pending().await,
            Some("careless") => panic!("as planned by this test"),
            Some(name) => Ok(Guest {
                name: format!("{name} at {}", call.method()),
                safe: call.auth_context().security() == SecurityLevel::Private,
            }),
            None => Err(Status::unauthenticated("say a name")),
        }
    }
}

/// Says whom it was told of.
#[derive(Clone, Default)]
struct Host(Arc<AtomicUsize>);

#[tonic::async_trait]
impl HelloService for Host {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let reply = match request.extensions().get::<Guest>() {
            Some(guest) => format!("{}, safe: {}", guest.name, guest.safe),
            None => "nobody".to_owned(),
        };
        Ok(Response::new(HelloResponse { reply }))
    }
}

/// Counts how often it was asked, and says so.
#[derive(Debug, Clone, Default)]
struct Seal(Arc<AtomicUsize>);

#[tonic::async_trait]
impl CallCredentials for Seal {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        tokio::task::yield_now().await;
        let count = self.0.fetch_add(1, Ordering::SeqCst);
        if count == 2 {
            return Err(Status::unavailable("no wax left"));
        }
        let text = format!("{count} {} {}", call.host, call.method);
        Ok(one("x-seal", &text))
    }
}

/// May be shown to everybody.
#[derive(Debug)]
struct Sign;

#[tonic::async_trait]
impl CallCredentials for Sign {
    async fn metadata(&self, _call: &CallContext) -> Result<MetadataMap, Status> {
        Ok(one("x-seal", "a sign"))
    }

    fn minimum_security(&self) -> SecurityLevel {
        SecurityLevel::None
    }
}

struct Server {
    serving: Serving,
    met: Arc<AtomicUsize>,
    _tasks: Tasks,
}

impl Server {
    async fn start(security: Security, shape: impl FnOnce(Calls) -> Calls) -> Self {
        let (tasks, host) = (Tasks::new(), Host::default());
        let met = Arc::clone(&host.0);
        let routes = Routes::new(HelloServiceServer::new(host));
        let calls = shape(Calls::new(routes, CallLimits::default()));
        let listener = Listener::bind(ListenAddress::loopback(0), security).await;
        let serving = rpc::serve(listener.unwrap(), calls, &tasks, Limits::default());
        Self {
            serving,
            met,
            _tasks: tasks,
        }
    }

    async fn client(&self, trust: &Trust) -> HelloServiceClient<Channel> {
        let target = Target::from(self.serving.address());
        let target = target.with_server_name(ZONE).unwrap();
        HelloServiceClient::new(rpc::connect(&target, trust).await.unwrap())
    }

    fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }
}

fn named(name: &str) -> Request<HelloRequest> {
    let mut request = Request::new(HelloRequest::default());
    request.metadata_mut().insert("x-name", name.parse().unwrap());
    request
}

#[tokio::test]
async fn an_authenticator_sees_each_call_and_gives_its_handler_a_principal() {
    let authority = Authority::new();
    for (security, trust, safe) in [
        (Security::Plain, Trust::Plaintext, false),
        (authority.tls(), authority.trust(), true),
    ] {
        let server = Server::start(security, |calls| calls.with_authenticator(Porter)).await;
        let mut client = server.client(&trust).await;
        for name in ["Ada", "Ben"] {
            let reply = client.say_hello(named(name)).await.unwrap().into_inner().reply;
            assert_eq!(reply, format!("{name} at /HelloService/SayHello, safe: {safe}"));
        }
    }
}

#[tokio::test]
async fn who_is_refused_reaches_no_handler_and_is_told_before_a_message_is_read() {
    let server = Server::start(Security::Plain, |calls| {
        calls
            .with_authenticator(Porter)
            .with_greeting(|_, _| Some(one("x-greeting", "welcome")))
    })
    .await;
    let mut client = server.client(&Trust::Plaintext).await;
    let status = client.say_hello(HelloRequest::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unauthenticated, "say a name")
    );
    assert!(status.metadata().get("x-greeting").is_none());

    let mut sender = bare_to(server.serving.address()).await;
    let (feed, body) = fed();
    let mut request = post("/HelloService/SayHello");
    *request.body_mut() = body;
    let answer = timeout(SOON, sender.send_request(request)).await;
    let answer = answer.expect("nothing of the request was needed").unwrap();
    assert_eq!(answer.headers()["grpc-status"], "16");
    drop(feed);

    let mut slow = named("slow");
    slow.set_timeout(Duration::from_millis(100));
    let status = timeout(SOON, client.say_hello(slow))
        .await
        .expect("it has a deadline")
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let status = client.say_hello(named("careless")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "internal error")
    );
    assert_eq!(server.met(), 0);
    let answer = client.say_hello(named("Ada")).await.unwrap();
    assert_eq!(answer.metadata().get("x-greeting").unwrap(), "welcome");
}

#[tokio::test]
async fn credentials_go_along_with_every_answer_over_tls() {
    let authority = Authority::new();
    let seal = Seal::default();
    let server = Server::start(authority.tls(), |calls| {
        calls.with_credentials(seal).with_credentials(Sign)
    })
    .await;
    let mut client = server.client(&authority.trust()).await;
    for count in 0..2 {
        let answer = client.say_hello(HelloRequest::default()).await.unwrap();
        let seals: Vec<_> = answer.metadata().get_all("x-seal").iter().collect();
        assert_eq!(seals, [&*format!("{count} {ZONE} SayHello"), "a sign"]);
    }
    let status = client.say_hello(HelloRequest::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "no wax left")
    );
    assert_eq!(server.met(), 2);
    // They go along with a failure too, and with a call that nobody knows.
    let status = client.lots_of_replies(HelloRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(status.metadata().get_all("x-seal").iter().count(), 2);
}

#[tokio::test]
async fn credentials_of_answers_never_go_over_plaintext() {
    let seal = Seal::default();
    let asked = Arc::clone(&seal.0);
    let server = Server::start(Security::Plain, |calls| {
        calls.with_credentials(Sign).with_credentials(seal)
    })
    .await;
    let mut client = server.client(&Trust::Plaintext).await;
    let status = client.say_hello(HelloRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("TLS"), "{status}");
    assert!(status.metadata().get("x-seal").is_none());
    assert_eq!((server.met(), asked.load(Ordering::SeqCst)), (0, 0));
    // What everybody may see goes over it.
    let server = Server::start(Security::Plain, |calls| calls.with_credentials(Sign)).await;
    let answer = server
        .client(&Trust::Plaintext)
        .await
        .say_hello(HelloRequest::default())
        .await;
    assert_eq!(answer.unwrap().metadata().get("x-seal").unwrap(), "a sign");
}
