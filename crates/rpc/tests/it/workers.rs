//! Handlers that block: all four kinds, their deadline, their caller's leaving, and more of them than threads.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use rpc::{
    Call, CallLimits, CallOptions, Calls, Cancel, Channel, Deadline, Limits, ListenAddress, Listener,
    Security, Serving, Target, Trust, Workers,
};
use tasks::Tasks;
use tokio::time::timeout;
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream, service::Routes};
use wire::hello::{
    HelloRequest, HelloResponse,
    hello_service_client::HelloServiceClient,
    hello_service_server::{HelloService, HelloServiceServer},
};

use crate::support::{SOON, eventually};

/// What the handlers have noted, and what they wait for.
#[derive(Debug, Default)]
struct Notes {
    running: AtomicUsize,
    most: AtomicUsize,
    seen: Mutex<Vec<String>>,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Notes {
    fn note(&self, text: impl Into<String>) {
        self.seen.lock().unwrap().push(text.into());
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Waits, as a program does that waits for the system, until the test goes on.
    fn wait(&self) {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

struct Blocks {
    workers: Workers,
    notes: Arc<Notes>,
}

fn hello(name: &str) -> HelloResponse {
    let reply = format!("Hello,{name}!");
    HelloResponse { reply }
}

#[tonic::async_trait]
impl HelloService for Blocks {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let notes = Arc::clone(&self.notes);
        let handler = move |request: Request<HelloRequest>| {
            match &*request.get_ref().greeting {
                "wait" => notes.wait(),
                "panic" => panic!("as planned by this test"),
                "fail" => return Err(Status::failed_precondition("as asked")),
                "until the end" => {
                    let left = Deadline::current().map(|deadline| deadline.time_remaining());
                    assert!(left.is_none_or(|left| left <= Duration::from_secs(1)));
                    let call = Call::current().expect("this is a part of its call");
                    assert_eq!(call.method(), "/HelloService/SayHello");
                    notes.note("begun");
                    while !call.is_cancelled() {
                        // may sleep: this handler blocks, and looks now and then
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    notes.note(format!("ended, with a deadline: {}", left.is_some()));
                }
                _ => {}
            }
            Ok(Response::new(hello(&request.get_ref().greeting)))
        };
        self.workers.unary(request, handler).await
    }

    async fn lots_of_replies(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let notes = Arc::clone(&self.notes);
        let handler = move |request: Request<HelloRequest>, replies: &rpc::Replies<HelloResponse>| {
            let name = request.into_inner().greeting;
            for number in 1..=3 {
                replies.send(hello(&format!("{name} {number}")))?;
            }
            match &*name {
                "panic" => panic!("as planned by this test"),
                "fail" => return Err(Status::failed_precondition("as asked")),
                "for ever" => loop {
                    if let Err(status) = replies.send(hello(&"x".repeat(10_000))) {
                        notes.note(format!("{:?}", status.code()));
                        return Err(status);
                    }
                },
                _ => {}
            }
            Ok(())
        };
        self.workers.server_streaming(request, handler).await
    }

    async fn lots_of_greetings(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloResponse>, Status> {
        let notes = Arc::clone(&self.notes);
        let handler = move |request: Request<rpc::Received<HelloRequest>>| {
            let mut names = Vec::new();
            for greeting in request.into_inner() {
                match greeting {
                    Ok(greeting) => names.push(greeting.greeting),
                    Err(status) => {
                        notes.note(format!("{} and {:?}", names.join(","), status.code()));
                        return Err(status);
                    }
                }
                notes.note("one");
            }
            notes.note("whole");
            Ok(Response::new(hello(&names.join(","))))
        };
        self.workers.client_streaming(request, handler).await
    }

    async fn bidi_hello(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let handler = |request: Request<rpc::Received<HelloRequest>>, replies: &rpc::Replies<_>| {
            replies.send(hello("first"))?;
            for greeting in request.into_inner() {
                replies.send(hello(&greeting?.greeting))?;
            }
            Ok(())
        };
        self.workers.bidirectional(request, handler).await
    }
}

struct Server {
    serving: Serving,
    notes: Arc<Notes>,
    tasks: Tasks,
}

impl Server {
    async fn start(threads: usize, waiting: usize) -> Self {
        let (tasks, notes) = (Tasks::new(), Arc::<Notes>::default());
        let blocks = Blocks {
            workers: Workers::new(&tasks, threads, waiting),
            notes: Arc::clone(&notes),
        };
        let routes = Routes::new(HelloServiceServer::new(blocks));
        let calls = Calls::new(routes, CallLimits::default());
        let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
        let serving = rpc::serve(listener.unwrap(), calls, &tasks, Limits::default());
        Self {
            serving,
            notes,
            tasks,
        }
    }

    async fn client(&self) -> HelloServiceClient<Channel> {
        let target = Target::from(self.serving.address());
        HelloServiceClient::new(rpc::connect(&target, &Trust::Plaintext).await.unwrap())
    }
}

fn greeting(name: &str) -> HelloRequest {
    let greeting = name.to_owned();
    HelloRequest { greeting }
}

fn within(name: &str, millis: u64) -> Request<HelloRequest> {
    let mut request = Request::new(greeting(name));
    request.set_timeout(Duration::from_millis(millis));
    request
}

async fn all(mut stream: Streaming<HelloResponse>) -> Result<Vec<String>, Status> {
    let mut replies = Vec::new();
    while let Some(reply) = stream.message().await? {
        replies.push(reply.reply);
    }
    Ok(replies)
}

#[tokio::test]
async fn blocking_handlers_answer_all_four_kinds_of_calls_beside_the_runtime() {
    // One thread serves all connections here: a handler that blocked it would end the test at its bound.
    let server = Server::start(3, 0).await;
    let mut client = server.client().await;
    let mut other = client.clone();
    let waiting = other.say_hello(greeting("wait"));
    let calls = async {
        eventually("it blocks", || server.notes.running() == 1).await;
        let reply = client.say_hello(greeting("Ada")).await.unwrap();
        assert_eq!(reply.into_inner().reply, "Hello,Ada!");

        let replies = client.lots_of_replies(greeting("Ben")).await.unwrap();
        let replies = all(replies.into_inner()).await.unwrap();
        assert_eq!(replies, ["Hello,Ben 1!", "Hello,Ben 2!", "Hello,Ben 3!"]);

        let names = futures::stream::iter(["Cy", "Dee"]).map(greeting);
        let reply = client.lots_of_greetings(names).await.unwrap();
        assert_eq!(reply.into_inner().reply, "Hello,Cy,Dee!");

        let (say, said) = tokio::sync::mpsc::channel(1);
        let said = tokio_stream::wrappers::ReceiverStream::new(said);
        let mut replies = client.bidi_hello(said).await.unwrap().into_inner();
        assert_eq!(replies.message().await.unwrap(), Some(hello("first")));
        for name in ["Eve", "Flo"] {
            say.send(greeting(name)).await.unwrap();
            assert_eq!(replies.message().await.unwrap(), Some(hello(name)));
        }
        drop(say);
        assert_eq!(replies.message().await.unwrap(), None);
        server.notes.open();
    };
    let (waited, ()) = timeout(SOON, async { tokio::join!(waiting, calls) })
        .await
        .expect("nobody is held up");
    waited.unwrap();
    let stopped = server.tasks.stop(SOON).await;
    assert!(stopped.late.is_empty(), "{stopped:?}");
}

#[tokio::test]
async fn a_blocking_handler_sees_its_deadline_and_that_its_caller_left() {
    let server = Server::start(4, 0).await;
    let mut client = server.client().await;
    let status = client.say_hello(within("until the end", 200)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let seen = || server.notes.seen();
    eventually("it saw its deadline", || seen().len() == 2).await;
    assert_eq!(seen()[1], "ended, with a deadline: true");
    let cancel = Cancel::new();
    let mut left = Request::new(greeting("until the end"));
    left.extensions_mut().insert(CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    });
    let leaving = async {
        eventually("it has begun", || seen().len() == 3).await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(client.say_hello(left), leaving);
    assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
    eventually("it saw that its caller left", || seen().len() == 4).await;
    assert_eq!(seen()[3], "ended, with a deadline: false");

    // One that only sends ends when it cannot send any more, whether its caller reads on or not.
    let stream = client.lots_of_replies(within("for ever", 300)).await.unwrap();
    let ended = timeout(SOON, all(stream.into_inner())).await.expect("it ends");
    assert_eq!(ended.unwrap_err().code(), Code::DeadlineExceeded);
    let unread = client.lots_of_replies(within("for ever", 300)).await.unwrap();
    let codes = || seen().split_off(4);
    eventually("both have ended", || codes().len() == 2).await;
    let late = |code: &String| code == "DeadlineExceeded" || code == "Cancelled";
    assert!(codes().iter().all(late), "{:?}", codes());
    drop(unread);
    let stopped = server.tasks.stop(SOON).await;
    assert!(stopped.late.is_empty(), "{stopped:?}");
}

#[tokio::test]
async fn half_an_upload_to_a_blocking_handler_is_an_error_and_no_end() {
    let server = Server::start(1, 0).await;
    let mut client = server.client().await;
    let cancel = Cancel::new();
    let half = futures::stream::iter(["Ada"])
        .map(greeting)
        .chain(futures::stream::pending());
    let mut upload = Request::new(half);
    upload.extensions_mut().insert(CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    });
    let leaving = async {
        eventually("half is there", || server.notes.seen() == ["one"]).await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(client.lots_of_greetings(upload), leaving);
    assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
    eventually("the handler has heard", || server.notes.seen().len() == 2).await;
    let last = server.notes.seen().pop().unwrap();
    assert!(
        last == "Ada and Cancelled" || last == "Ada and Unavailable",
        "{last}"
    );
}

#[tokio::test]
async fn calls_wait_for_a_thread_and_too_many_are_refused() {
    let server = Server::start(1, 1).await;
    let mut clients: Vec<_> = (0..3).map(|_| server.client()).collect();
    let (mut first, mut second, mut third) = (
        clients.remove(0).await,
        clients.remove(0).await,
        clients.remove(0).await,
    );
    let running = first.say_hello(greeting("wait"));
    let waiting = async {
        eventually("the first runs", || server.notes.running() == 1).await;
        loop {
            let answer = second.say_hello(greeting("wait")).await;
            if !answer
                .as_ref()
                .is_err_and(|status| status.code() == Code::ResourceExhausted)
            {
                break answer;
            }
            // may sleep: the third has its place for a moment, and nothing tells when it is free
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let refused = async {
        eventually("the first runs", || server.notes.running() == 1).await;
        // Once the third is refused it is the second who waits; before that the third has its place, until its deadline.
        let status = loop {
            let status = third.say_hello(within("wait", 200)).await.unwrap_err();
            if status.code() != Code::DeadlineExceeded {
                break status;
            }
        };
        server.notes.open();
        status
    };
    let all = async { tokio::join!(running, waiting, refused) };
    let (ran, waited, refused) = timeout(SOON, all).await.expect("all end");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    ran.unwrap();
    waited.unwrap();
    assert_eq!(
        server.notes.most.load(Ordering::SeqCst),
        1,
        "no more at a time than threads"
    );
}

#[tokio::test]
async fn a_blocking_handler_s_failure_and_its_panic_are_its_own_call_s() {
    let server = Server::start(2, 2).await;
    let mut client = server.client().await;
    let status = client.say_hello(greeting("fail")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "as asked")
    );
    let status = client.say_hello(greeting("panic")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "internal error")
    );
    for (name, code) in [("fail", Code::FailedPrecondition), ("panic", Code::Internal)] {
        let mut stream = client.lots_of_replies(greeting(name)).await.unwrap().into_inner();
        for _ in 0..3 {
            stream
                .message()
                .await
                .unwrap()
                .expect("what was sent before comes first");
        }
        assert_eq!(stream.message().await.unwrap_err().code(), code, "{name}");
    }
    for _ in 0..3 {
        client
            .say_hello(greeting("Ada"))
            .await
            .expect("the threads are free again");
    }
}
