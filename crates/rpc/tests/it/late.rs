//! Calls whose caller stops reading: they end at their deadline all the same.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving, Target, Trust};
use tasks::{Clock, Policy, Tasks};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tonic::{Code, Request, Response, Status, Streaming, body::Body, service::Routes};
use wire::{
    grpc::testing::{
        Empty, Payload, ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest,
    },
    hello::{
        HelloRequest, HelloResponse,
        hello_service_client::HelloServiceClient,
        hello_service_server::{HelloService, HelloServiceServer},
    },
};

use crate::{
    raw::{PREFACE, frame, head},
    support::{SOON, Server, bare, eventually, post, quick},
};

/// More rounds are not made to see a bound on time kept once.
const ROUNDS: usize = 10;

/// Messages of a size: five of them with a pause before each, or with a negative one, without pause and end.
fn messages(size: i32, interval_us: i32) -> StreamingOutputCallRequest {
    let one = ResponseParameters {
        size,
        interval_us,
        compressed: None,
    };
    StreamingOutputCallRequest {
        response_parameters: vec![one; 5],
        ..StreamingOutputCallRequest::default()
    }
}

fn framed(message: &StreamingOutputCallRequest) -> Bytes {
    let message = message.encode_to_vec();
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes.into()
}

/// A stream of messages, by hand.
fn spoken(asked: &StreamingOutputCallRequest, timeout: &str) -> http::Request<Body> {
    let mut request = post("/grpc.testing.TestService/StreamingOutputCall");
    *request.body_mut() = Body::new(Full::new(framed(asked)));
    let headers = request.headers_mut();
    headers.insert("grpc-timeout", timeout.parse().unwrap());
    request
}

fn last_gone(server: &Server) -> Instant {
    *server
        .seen
        .gone
        .lock()
        .unwrap()
        .last()
        .expect("a handler is gone")
}

#[tokio::test]
async fn five_messages_at_400_ms_within_500_ms_end_with_code_4_on_both_sides_and_leave_no_handler() {
    let server = Server::start(Security::Plain, Limits::default()).await;
    let mut client = server.client(&Trust::Plaintext).await;
    let mut sender = bare(&server).await;
    let clock = Clock::system();
    let bound = Duration::from_millis(50);
    let (mut nearest, mut server_s_own) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let mut asked = Request::new(messages(1, 400_000));
        asked.set_timeout(Duration::from_millis(500));
        let mut received = 0;
        let ended = async {
            let mut stream = client.streaming_output_call(asked).await?.into_inner();
            while stream.message().await?.is_some() {
                received += 1;
            }
            Ok::<_, tonic::Status>(())
        };
        let begin = clock.monotonic();
        let status = timeout(SOON, ended).await.expect("it ends").unwrap_err();
        let told = clock.monotonic();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(received <= 1 && told - begin >= Duration::from_millis(500));
        eventually("the handler is gone", || server.seen.running() == 0).await;
        nearest = nearest.min(last_gone(&server).saturating_duration_since(told));

        // The same from a caller who leaves the deadline to the server.
        let begin = clock.monotonic();
        let answer = sender.send_request(spoken(&messages(1, 400_000), "500m")).await;
        let collected = timeout(SOON, answer.unwrap().into_body().collect()).await;
        let collected = collected.expect("it ends").unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "4");
        eventually("the handler is gone", || server.seen.running() == 0).await;
        let lived = last_gone(&server) - begin;
        server_s_own = server_s_own.min(lived.saturating_sub(Duration::from_millis(500)));
        if nearest.max(server_s_own) <= bound {
            break;
        }
    }
    println!(
        "gone {nearest:?} after its caller was told, {server_s_own:?} after a deadline kept by the server"
    );
    assert!(nearest <= bound, "{nearest:?}");
    assert!(server_s_own <= bound, "{server_s_own:?}");
}

#[tokio::test]
async fn a_handler_ends_at_its_deadline_though_its_caller_has_stopped_reading() {
    let server = Server::start(Security::Plain, Limits::default()).await;
    let mut sender = bare(&server).await;
    let (clock, begin) = (Clock::system(), Clock::system().monotonic());
    let answer = sender.send_request(spoken(&messages(100_000, -1), "700m")).await;
    let mut unread = answer.unwrap().into_body();
    eventually("the handler is gone", || server.seen.running() == 0).await;
    let lived = last_gone(&server) - begin;
    println!("the handler of a caller who does not read lived {lived:?} of 700 ms");
    assert!(lived >= Duration::from_millis(700), "{lived:?}");
    // Others on the connection do not wait, and who reads on after all is told why it ended.
    let other = sender.send_request(post("/grpc.testing.TestService/EmptyCall"));
    let other = timeout(SOON, other)
        .await
        .expect("the connection goes on")
        .unwrap();
    assert_eq!(other.status(), 200);
    let mut bytes = 0;
    let reading = async {
        while let Some(frame) = unread.frame().await {
            match frame.unwrap().into_data() {
                Ok(data) => bytes += data.len(),
                Err(frame) => return frame.into_trailers().ok(),
            }
        }
        None
    };
    let trailers = timeout(SOON, reading)
        .await
        .expect("it ends")
        .expect("there are trailers");
    assert_eq!(trailers["grpc-status"], "4");
    assert!(bytes > 100_000, "{bytes}");
    drop(clock);
}

#[tokio::test]
async fn what_a_caller_does_not_take_in_time_after_the_deadline_is_cut() {
    let server = Server::start(Security::Plain, quick()).await;
    let mut sender = bare(&server).await;
    let answer = sender.send_request(spoken(&messages(100_000, -1), "300m")).await;
    let mut unread = answer.unwrap().into_body();
    eventually("the handler is gone", || server.seen.running() == 0).await;
    // may sleep: what is cut gives no sign to one who does not look
    tokio::time::sleep(quick().drain * 2).await;
    let reading = async {
        loop {
            match unread.frame().await {
                Some(Ok(frame)) => assert!(frame.is_data(), "no trailers came"),
                Some(Err(error)) => return error,
                None => panic!("it does not look complete"),
            }
        }
    };
    let cut = timeout(SOON, reading).await.expect("it is cut");
    println!("a call that was cut: {cut}");
    // The call was cut, and its connection was not.
    let other = sender.send_request(post("/grpc.testing.TestService/EmptyCall"));
    assert_eq!(timeout(SOON, other).await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_caller_over_http_1_who_does_not_read_keeps_no_handler_either() {
    // The second connection is given up while its call runs, and has a minute to end.
    let aged = Limits {
        age: Some(Duration::from_millis(100)),
        ..Limits::default()
    };
    for limits in [quick(), aged] {
        let server = Server::start(Security::Plain, limits).await;
        let mut tcp = server.tcp().await;
        let body = framed(&messages(100_000, -1));
        let head = format!(
            "POST /grpc.testing.TestService/StreamingOutputCall HTTP/1.1\r\nhost: soke.localhost\r\n\
             content-type: application/grpc\r\ngrpc-timeout: 500m\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        tcp.write_all(head.as_bytes()).await.unwrap();
        tcp.write_all(&body).await.unwrap();
        eventually("the handler has begun", || server.seen.started() == 1).await;
        eventually("the handler is gone", || server.seen.running() == 0).await;
        drop(tcp);
    }
}

#[tokio::test]
async fn half_an_upload_that_is_cancelled_commits_nothing() {
    let server = Server::start(Security::Plain, Limits::default()).await;
    let mut client = server.client(&Trust::Plaintext).await;
    let part = || StreamingInputCallRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; 100].into(),
        }),
        expect_compressed: None,
    };
    for round in 1..=5 {
        let cancel = rpc::Cancel::new();
        let (send, parts) = tokio::sync::mpsc::channel(1);
        let mut upload = Request::new(tokio_stream::wrappers::ReceiverStream::new(parts));
        upload.extensions_mut().insert(rpc::CallOptions {
            cancel: Some(cancel.clone()),
            ..rpc::CallOptions::default()
        });
        let leaving = async {
            for _ in 0..3 {
                send.send(part()).await.unwrap();
            }
            eventually("the upload has begun", || server.seen.started() == round).await;
            cancel.cancel();
            // The end of the requests, which has to come too late to look like the end of an upload.
            drop(send);
        };
        let (answer, ()) = tokio::join!(client.streaming_input_call(upload), leaving);
        assert_eq!(answer.unwrap_err().code(), Code::Cancelled);
        eventually("the handler is gone", || server.seen.running() == 0).await;
    }
    let uploads = server.seen.uploads.lock().unwrap().clone();
    assert!(uploads.iter().all(Result::is_err), "{uploads:?}");
    client
        .empty_call(Empty::default())
        .await
        .expect("the connection goes on");
}

/// Reads uploads in tasks of their own, which no end of a call drops, and commits those that are whole.
struct Ledger {
    tasks: Tasks,
    outcomes: Arc<Mutex<Vec<Result<usize, Code>>>>,
    /// How many lines of all uploads were read.
    lines: Arc<AtomicUsize>,
}

impl Ledger {
    fn serve(self, listener: Listener) -> Serving {
        let tasks = self.tasks.clone();
        let routes = Routes::new(HelloServiceServer::new(self));
        let calls = Calls::new(routes, CallLimits::default());
        rpc::serve(listener, calls, &tasks, Limits::default())
    }
}

#[tonic::async_trait]
impl HelloService for Ledger {
    async fn lots_of_greetings(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloResponse>, Status> {
        let (outcomes, read) = (Arc::clone(&self.outcomes), Arc::clone(&self.lines));
        let mut lines = request.into_inner();
        let (tell, told) = tokio::sync::oneshot::channel();
        self.tasks.spawn("ledger", Policy::MayEnd, async move {
            let mut count = 0;
            let outcome = loop {
                match lines.message().await {
                    Ok(Some(_line)) => {
                        count += 1;
                        read.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(None) => break Ok(count),
                    Err(status) => break Err(status.code()),
                }
            };
            outcomes.lock().unwrap().push(outcome);
            let _nobody_asks = tell.send(());
        });
        told.await.expect("the task tells");
        Ok(Response::new(HelloResponse::default()))
    }
}

#[tokio::test]
async fn half_an_upload_that_is_read_outside_its_handler_commits_nothing_either() {
    let (tasks, outcomes) = (Tasks::new(), Arc::<Mutex<Vec<_>>>::default());
    let ledger = Ledger {
        tasks: tasks.clone(),
        outcomes: Arc::clone(&outcomes),
        lines: Arc::default(),
    };
    let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
    let serving = ledger.serve(listener.unwrap());
    let channel = rpc::connect(&Target::from(serving.address()), &Trust::Plaintext).await;
    let mut client = HelloServiceClient::new(channel.unwrap());
    let lines = || futures::stream::iter([HelloRequest::default(), HelloRequest::default()]);
    client
        .lots_of_greetings(lines())
        .await
        .expect("a whole one is taken");
    for left in ["cancelled", "late"] {
        let cancel = rpc::Cancel::new();
        let mut half = match left {
            "late" => rpc::within(
                lines().chain(futures::stream::pending()),
                Duration::from_millis(300),
            ),
            _ => Request::new(lines().chain(futures::stream::pending())),
        };
        half.extensions_mut().insert(rpc::CallOptions {
            cancel: Some(cancel.clone()),
            ..rpc::CallOptions::default()
        });
        let leaving = async {
            if left == "cancelled" {
                // may sleep: what has arrived of an upload is not seen from outside
                tokio::time::sleep(Duration::from_millis(100)).await;
                cancel.cancel();
            }
        };
        let (answer, ()) = tokio::join!(client.lots_of_greetings(half), leaving);
        answer.unwrap_err();
    }
    eventually("both have ended", || outcomes.lock().unwrap().len() == 3).await;
    let outcomes = outcomes.lock().unwrap().clone();
    assert_eq!(outcomes[0], Ok(2));
    assert!(outcomes[1..].iter().all(Result::is_err), "{outcomes:?}");
}

#[tokio::test]
async fn an_upload_whose_stream_or_connection_breaks_off_between_two_messages_commits_nothing_either() {
    let (tasks, outcomes) = (Tasks::new(), Arc::<Mutex<Vec<_>>>::default());
    let lines = Arc::<AtomicUsize>::default();
    let ledger = Ledger {
        tasks,
        outcomes: Arc::clone(&outcomes),
        lines: Arc::clone(&lines),
    };
    let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
    let serving = ledger.serve(listener.unwrap());
    let reset = |code: u32| frame(3, 0, 1, &code.to_be_bytes());
    // The codes are those of RFC 9113, section 7. A stream that is reset without an error has ended no better.
    let ways = [
        ("an end", frame(0, 0x1, 1, &[])),
        ("NO_ERROR", reset(0)),
        ("INTERNAL_ERROR", reset(2)),
        ("REFUSED_STREAM", reset(7)),
        ("CANCEL", reset(8)),
        ("GOAWAY", frame(7, 0, 0, &[0; 8])),
        ("nothing", Vec::new()),
    ];
    for (round, (way, last)) in ways.into_iter().enumerate() {
        let mut tcp = TcpStream::connect(serving.address()).await.unwrap();
        let call = [
            PREFACE,
            &frame(4, 0, 0, &[]),
            &frame(1, 0x4, 1, &head("/HelloService/LotsOfGreetings")),
            &frame(0, 0, 1, &[0; 10]),
        ];
        tcp.write_all(&call.concat()).await.unwrap();
        let read = || lines.load(Ordering::SeqCst) == 2 * (round + 1);
        eventually("both lines are read", read).await;
        tcp.write_all(&last).await.unwrap();
        let closes = matches!(way, "GOAWAY" | "nothing");
        let open = (!closes).then_some(tcp);
        eventually(way, || outcomes.lock().unwrap().len() == round + 1).await;
        let outcome = outcomes.lock().unwrap()[round];
        if way == "an end" {
            assert_eq!(outcome, Ok(2));
        } else {
            assert_eq!(outcome, Err(Code::Unavailable), "{way}");
        }
        drop(open);
    }
}
