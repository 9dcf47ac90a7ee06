//! Calls that are made inside a handler, wherever in it, end no later than the handler's own.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture};
use rpc::{
    Blocking, CallLimits, Calls, ChannelArgs, ChannelCredentials, Limits, ListenAddress, Listener, Received,
    Security, Target, Trust, Workers,
    link::{Admission, Caller, Dial, Door, Holder, Judge, Links, Pace, serve_reversed},
};
use tasks::Tasks;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream, service::Routes};
use wire::{
    grpc::testing::{Empty, test_service_client::TestServiceClient, test_service_server::TestServiceServer},
    hello::{
        HelloRequest, HelloResponse,
        hello_service_client::HelloServiceClient,
        hello_service_server::{HelloService, HelloServiceServer},
    },
};

use crate::support::{Authority, Seen, Service, ZONE, eventually};

/// Asks the service behind it from each place in which a handler can stand.
struct Relay {
    target: Target,
    channel: rpc::Channel,
    links: Links,
    workers: Workers,
}

#[tonic::async_trait]
impl HelloService for Relay {
    /// Over a link.
    async fn say_hello(&self, _request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let mut next = TestServiceClient::new(self.links.reach("far"));
        next.empty_call(Empty::default()).await?;
        Ok(Response::new(HelloResponse::default()))
    }

    /// While its answers run.
    async fn lots_of_replies(
        &self,
        _request: Request<HelloRequest>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let next = TestServiceClient::new(self.channel.clone());
        let replies = futures::stream::iter([next]).then(async |mut next| {
            next.empty_call(Empty::default()).await?;
            Ok(HelloResponse::default())
        });
        Ok(Response::new(replies.boxed()))
    }

    /// In blocking code.
    async fn lots_of_greetings(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloResponse>, Status> {
        let target = self.target.clone();
        let handler = move |_request: Request<Received<HelloRequest>>| {
            let blocking = Blocking::new(&target, &ChannelCredentials::insecure(), ChannelArgs::new());
            let blocking = blocking.expect("it needs nothing");
            let mut next = TestServiceClient::new(blocking.channel());
            blocking.wait(next.empty_call(Empty::default()))?;
            Ok(Response::new(HelloResponse::default()))
        };
        self.workers.client_streaming(request, handler).await
    }
}

/// Lets everybody in.
pub(crate) struct Open;

impl Judge for Open {
    fn judge(&self, _caller: Caller) -> BoxFuture<'_, Option<Admission>> {
        let (holder, until) = ("far".to_owned(), Box::pin(std::future::pending()));
        Box::pin(std::future::ready(Some(Admission { holder, until })))
    }
}

fn noting() -> (Calls, Arc<Seen>) {
    let service = Service::default();
    let seen = Arc::clone(&service.0);
    let routes = Routes::new(TestServiceServer::new(service));
    (Calls::new(routes, CallLimits::default()), seen)
}

#[tokio::test]
async fn calls_over_links_in_streams_and_in_blocking_code_inherit_the_deadline() {
    let (tasks, authority, links) = (Tasks::new(), Authority::new(), Links::new());
    let (next, near) = noting();
    let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
    let next = rpc::serve(listener.unwrap(), next, &tasks, Limits::default());
    let target = Target::from(next.address());
    let relay = Relay {
        channel: rpc::connect(&target, &Trust::Plaintext).await.unwrap(),
        target,
        links: links.clone(),
        workers: Workers::new(&tasks, 1, 1),
    };
    let routes = Routes::new(HelloServiceServer::new(relay));
    let relay = Calls::new(routes, CallLimits::default());
    let door = Door::new(&authority.pem(), Arc::new(Open), links.clone()).unwrap();
    let listener = Listener::bind(ListenAddress::loopback(0), authority.tls()).await;
    let listener = listener.unwrap().with_links(door);
    let relay = rpc::serve(listener, relay, &tasks, Limits::default());
    let target = Target::from(relay.address()).with_server_name(ZONE).unwrap();
    let holder = Holder::new(authority.identity(&["far"])).unwrap();
    let dial = Dial::new(target.clone(), &authority.trust(), &holder, Pace::default()).unwrap();
    let (service, far) = noting();
    serve_reversed(&dial, &service, 1, &tasks);
    eventually("the link stands", || links.live("far") == 1).await;

    let channel = rpc::connect(&target, &authority.trust()).await.unwrap();
    let mut client = HelloServiceClient::new(channel);
    let long = Duration::from_secs(40);
    let left = |seen: &Seen| seen.deadlines.lock().unwrap().pop().expect("it was asked");
    for given in [Some(long), None] {
        let hello = || match given {
            Some(long) => rpc::within(HelloRequest::default(), long),
            None => Request::new(HelloRequest::default()),
        };
        client.say_hello(hello()).await.unwrap();
        let over_a_link = left(&far);
        let mut replies = client.lots_of_replies(hello()).await.unwrap().into_inner();
        assert!(replies.message().await.unwrap().is_some());
        let in_a_stream = left(&near);
        let upload = hello().map(|greeting| futures::stream::iter([greeting]));
        client.lots_of_greetings(upload).await.unwrap();
        let in_blocking_code = left(&near);
        for (place, left) in [
            ("over a link", over_a_link),
            ("in a stream", in_a_stream),
            ("in blocking code", in_blocking_code),
        ] {
            assert_eq!(left.is_some(), given.is_some(), "{place}");
            let fits = left.is_none_or(|left| left <= long && left > long / 2);
            assert!(fits, "{place}: {left:?}");
        }
    }
}
