//! Handlers that are busy when something ends: the listener, their time, their own composure.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, future::join_all};
use http_body_util::Full;
use rpc::{
    CallLimits, Calls, Channel, Limits, ListenAddress, Listener, Security, Serving, Target, Trust, connect,
    link::{Dial, Holder, Pace, serve_reversed},
};
use tasks::Tasks;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::{Code, Request, Response, Status, body::Body, codegen::BoxStream, service::Routes};
use tower::Service as _;
use wire::hello::{
    HelloRequest, HelloResponse,
    hello_service_client::HelloServiceClient,
    hello_service_server::{HelloService, HelloServiceServer},
};

use crate::{
    link::Hub,
    support::{SOON, bare_to, eventually, post},
};

#[derive(Debug, Default)]
struct Notes {
    begun: AtomicUsize,
    running: AtomicUsize,
}

struct Running(Arc<Notes>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Busy(Arc<Notes>);

#[tonic::async_trait]
impl HelloService for Busy {
    /// Answers at once. Asked to `panic`, panics; asked to go on `for ever`, never waits for anything and only lets others have the thread now and
    /// then.
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        self.0.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self.0));
        let greeting = request.into_inner().greeting;
        assert_ne!(greeting, "panic", "as planned by this test");
        if greeting == "for ever" {
            loop {
                tokio::task::consume_budget().await;
            }
        }
        Ok(Response::new(HelloResponse { reply: greeting }))
    }

    /// Answers once and panics.
    async fn lots_of_replies(
        &self,
        _request: Request<HelloRequest>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let replies = futures::stream::iter(0..2).then(async |number| {
            // What came before goes out first.
            tokio::task::yield_now().await;
            assert_eq!(number, 0, "as planned by this test");
            Ok(HelloResponse::default())
        });
        Ok(Response::new(replies.boxed()))
    }
}

struct Server {
    serving: Serving,
    notes: Arc<Notes>,
}

impl Server {
    async fn start(calls: CallLimits) -> Self {
        let (tasks, notes) = (Tasks::new(), Arc::<Notes>::default());
        let busy = Busy(Arc::clone(&notes));
        let calls = Calls::new(Routes::new(HelloServiceServer::new(busy)), calls);
        let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
        let serving = rpc::serve(listener.unwrap(), calls, &tasks, Limits::default());
        Self { serving, notes }
    }

    async fn client(&self) -> HelloServiceClient<Channel> {
        let target = Target::from(self.serving.address());
        HelloServiceClient::new(connect(&target, &Trust::Plaintext).await.unwrap())
    }
}

fn greeting(name: &str) -> HelloRequest {
    let greeting = name.to_owned();
    HelloRequest { greeting }
}

/// Answers each request with nothing, and stops everything with the first that asks for it.
fn stops(tasks: &Tasks, request: &http::Request<Body>) -> http::Response<Body> {
    if request.uri().path() == "/stop" {
        tasks.token().cancel();
    }
    http::Response::default()
}

type Stopping<F> = tower::util::ServiceFn<F>;

/// A service of such answers.
fn stopping(tasks: &Tasks) -> Stopping<impl Fn(http::Request<Body>) -> Answered + Clone + use<>> {
    let tasks = tasks.clone();
    tower::service_fn(move |request| std::future::ready(Ok(stops(&tasks, &request))))
}

type Answered = std::future::Ready<Result<http::Response<Body>, Infallible>>;

#[tokio::test]
async fn a_stop_cuts_none_of_the_calls_that_came_together() {
    for _ in 0..20 {
        let tasks = Tasks::new();
        let service = stopping(&tasks);
        let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
        let serving = rpc::serve(listener.unwrap(), service, &tasks, Limits::default());
        let sender = bare_to(serving.address()).await;
        let ask = |path| {
            let mut sender = sender.clone();
            async move {
                sender
                    .send_request(post(path))
                    .await
                    .map(|answer| answer.status())
            }
        };
        // Once it is answered, more than a hundred may be sent together.
        ask("/").await.unwrap();
        let calls = (0..250).map(|number| ask(if number == 0 { "/stop" } else { "/" }));
        let answers = timeout(SOON, join_all(calls)).await.expect("all end");
        let cut: Vec<_> = answers.iter().filter(|answer| answer.is_err()).collect();
        assert!(cut.is_empty(), "{} are cut: {:?}", cut.len(), cut[0]);
    }
}

#[tokio::test]
async fn a_stop_cuts_none_of_the_calls_that_came_together_over_a_link_either() {
    for _ in 0..5 {
        let (hub, tasks) = (Hub::start(Limits::default()).await, Tasks::new());
        let holder = Holder::new(hub.authority.identity(&["one"])).unwrap();
        let dial = Dial::new(hub.target(), &hub.authority.trust(), &holder, Pace::default());
        serve_reversed(&dial.unwrap(), &stopping(&tasks), 1, &tasks);
        hub.until_live(1).await;
        let reach = hub.links.reach("one");
        let ask = |path| {
            let mut reach = reach.clone();
            async move {
                reach
                    .call(post(path))
                    .await
                    .unwrap()
                    .headers()
                    .get("grpc-status")
                    .cloned()
            }
        };
        assert_eq!(ask("/").await, None);
        let calls = (0..250).map(|number| ask(if number == 0 { "/stop" } else { "/" }));
        let answers = timeout(SOON, join_all(calls)).await.expect("all end");
        let cut = answers.iter().flatten().count();
        assert_eq!(cut, 0, "{:?}", answers.iter().flatten().next());
    }
}

#[tokio::test]
async fn a_handler_that_never_waits_for_anything_ends_at_its_deadline() {
    let server = Server::start(CallLimits::default()).await;
    let mut tcp = TcpStream::connect(server.serving.address()).await.unwrap();
    // Over HTTP/1.1, by hand: this caller gives nothing up by itself.
    tcp.write_all(&spoken("for ever", "200m")).await.unwrap();
    eventually("the handler has begun", || {
        server.notes.begun.load(Ordering::SeqCst) == 1
    })
    .await;
    eventually("the handler is gone", || {
        server.notes.running.load(Ordering::SeqCst) == 0
    })
    .await;
    read_to("grpc-status: 4\r\n", &mut tcp).await;
}

#[tokio::test]
async fn a_panic_in_a_stream_of_answers_is_its_own_call_s_internal_error() {
    let server = Server::start(CallLimits::default()).await;
    let mut client = server.client().await;
    let mut replies = client.lots_of_replies(greeting("")).await.unwrap().into_inner();
    replies.message().await.unwrap().expect("there is one");
    let status = replies.message().await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "internal error")
    );
    client
        .say_hello(greeting(""))
        .await
        .expect("the connection goes on");
}

/// A call over HTTP/1.1.
fn spoken(name: &str, timeout: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    let mut body = vec![0, 0, 0, 0, length + 2, 0x0a, length];
    body.extend(name.bytes());
    let head = format!(
        "POST /HelloService/SayHello HTTP/1.1\r\nhost: soke.localhost\r\ncontent-type: application/grpc\r\n\
         grpc-timeout: {timeout}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// What comes of it, to this word.
async fn read_to(word: &str, tcp: &mut TcpStream) {
    let mut said = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&said);
            if text.contains(word) {
                return;
            }
            assert_ne!(tcp.read_buf(&mut said).await.unwrap(), 0, "it is answered");
        }
    };
    timeout(SOON, reading).await.expect("in time")
}

#[tokio::test]
async fn a_call_gives_its_place_back_when_its_answer_is_out_though_its_connection_stays() {
    let limits = CallLimits {
        running: 1,
        ..CallLimits::default()
    };
    let server = Server::start(limits).await;
    let mut tcp = TcpStream::connect(server.serving.address()).await.unwrap();
    tcp.write_all(&spoken("", "10S")).await.unwrap();
    // Its last chunk.
    read_to("\r\n0\r\n", &mut tcp).await;
    let client = server.client().await;
    // Half of the time that a connection may be idle.
    let soon = Limits::default().head / 2;
    let free = testbed::eventually(soon, async || {
        client.clone().say_hello(greeting("")).await.is_ok()
    })
    .await;
    assert!(free, "the place is taken");
}

#[tokio::test]
async fn a_call_gives_its_place_back_however_it_ends() {
    let limits = CallLimits {
        running: 1,
        message_bytes: 100,
        ..CallLimits::default()
    };
    let server = Server::start(limits).await;
    let mut client = server.client().await;
    let mut sender = bare_to(server.serving.address()).await;
    let hello = |body: &[u8]| {
        let mut request = post("/HelloService/SayHello");
        *request.body_mut() = Body::new(Full::new(Bytes::copy_from_slice(body)));
        request
    };
    let within = |name: &str| rpc::within(greeting(name), Duration::from_millis(50));
    for way in 0..8 {
        let code = match way {
            0 => client.say_hello(greeting("panic")).await.unwrap_err().code(),
            1 => {
                let mut replies = client.lots_of_replies(greeting("")).await.unwrap().into_inner();
                replies.message().await.unwrap();
                replies.message().await.unwrap_err().code()
            }
            2 => client.say_hello(within("for ever")).await.unwrap_err().code(),
            3 => client
                .say_hello(greeting(&"x".repeat(200)))
                .await
                .unwrap_err()
                .code(),
            // Left while it runs.
            4 => {
                let left = timeout(Duration::from_millis(50), client.say_hello(greeting("for ever")));
                left.await.map_or(Code::Cancelled, |_| Code::Ok)
            }
            // A method that is not there, half a message, and a message that is none.
            5 => client
                .lots_of_greetings(futures::stream::empty())
                .await
                .unwrap_err()
                .code(),
            6 => code_of(&sender.send_request(hello(&[0, 0, 0, 0, 9, 1])).await.unwrap()),
            _ => code_of(&sender.send_request(hello(&[0, 0, 0, 0, 1, 0xff])).await.unwrap()),
        };
        println!("way {way}: {code:?}");
        assert_ne!(code, Code::Ok);
        assert!(
            way == 3 || code != Code::ResourceExhausted,
            "way {way} found no place"
        );
        let free = testbed::eventually(SOON, async || {
            client.clone().say_hello(greeting("")).await.is_ok()
        });
        assert!(free.await, "way {way}");
    }
}

fn code_of<B>(answer: &http::Response<B>) -> Code {
    Code::from_bytes(answer.headers()["grpc-status"].as_bytes())
}
