//! A service that uses what a call offers: metadata before and after, compression, its end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use rpc::{
    AuthContext, Call, CallLimits, Calls, Channel, Deadline, End, Limits, ListenAddress, Listener, Security,
    Serving, Target,
};
use tasks::{Policy, Tasks};
use tokio::sync::Notify;
use tonic::{
    Request, Response, Status, Streaming, body::Body, codegen::BoxStream, metadata::MetadataMap,
    service::Routes,
};
use wire::grpc::testing::{
    Empty, Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_client::TestServiceClient,
    test_service_server::{TestService, TestServiceServer},
};

use crate::support::{SOON, ZONE};

/// What a talker has noted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) ends: Mutex<Vec<(End, bool)>>,
    pub(crate) compressed: Mutex<Vec<bool>>,
    pub(crate) contexts: Mutex<Vec<AuthContext>>,
    pub(crate) metadata: Mutex<Vec<MetadataMap>>,
    pub(crate) left: Mutex<Vec<Option<Duration>>>,
    pub(crate) entered: Notify,
    pub(crate) go_on: Notify,
}

#[derive(Clone)]
pub(crate) struct Talker {
    pub(crate) notes: Arc<Notes>,
    tasks: Tasks,
    next: Option<Channel>,
}

/// Metadata of one entry.
pub(crate) fn one(name: &'static str, value: &str) -> MetadataMap {
    let mut map = MetadataMap::new();
    map.insert(name, value.parse().unwrap());
    map
}

impl Talker {
    /// Notes how the call ends, outside its handler.
    fn follow(&self, call: &Call) {
        let (notes, call) = (Arc::clone(&self.notes), call.clone());
        self.tasks.spawn("follows a call", Policy::MayEnd, async move {
            let end = call.ended().await;
            notes.ends.lock().unwrap().push((end, call.is_cancelled()));
        });
    }
}

fn payload(size: i32) -> Option<Payload> {
    let body = vec![b'x'; usize::try_from(size).unwrap()].into();
    Some(Payload { r#type: 0, body })
}

fn answer(size: i32) -> StreamingOutputCallResponse {
    StreamingOutputCallResponse {
        payload: payload(size),
    }
}

#[tonic::async_trait]
impl TestService for Talker {
    /// Notes the deadline and the peer, and asks the next talker, if there is one, with ten seconds of its own.
    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        let left = Deadline::current().map(|deadline| deadline.time_remaining());
        self.notes.left.lock().unwrap().push(left);
        self.notes
            .metadata
            .lock()
            .unwrap()
            .push(request.metadata().clone());
        let context = AuthContext::of(request.extensions());
        self.notes.contexts.lock().unwrap().extend(context);
        if let Some(next) = &self.next {
            let mut onward = Request::new(Empty::default());
            onward.set_timeout(Duration::from_secs(10));
            TestServiceClient::new(next.clone()).empty_call(onward).await?;
        }
        Ok(Response::new(Empty::default()))
    }

    /// With a status asked for, ends with it. With a payload `early`, sends metadata and waits to be told. With a
    /// negative size, waits for ever.
    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let call = Call::of(request.extensions())
            .expect("every call has one")
            .clone();
        assert_eq!(call.method(), "/grpc.testing.TestService/UnaryCall");
        self.notes
            .compressed
            .lock()
            .unwrap()
            .push(call.message_was_compressed());
        self.follow(&call);
        call.add_trailing_metadata(one("x-after", "all is said"));
        call.add_trailing_metadata(one("grpc-status", "13"));
        self.notes.entered.notify_one();
        let asked = request.into_inner();
        if let Some(status) = asked.response_status {
            return Err(Status::new(status.code.into(), status.message));
        }
        if asked
            .payload
            .is_some_and(|payload| payload.body == b"early".as_slice())
        {
            assert!(call.send_initial_metadata(one("x-before", "on its way")));
            assert!(!call.send_initial_metadata(one("x-before", "twice")));
            self.notes.go_on.notified().await;
        }
        if asked.response_size < 0 {
            std::future::pending::<()>().await;
        }
        call.compress(asked.response_compressed.is_some_and(|wanted| wanted.value));
        let mut response = Response::new(SimpleResponse {
            payload: payload(asked.response_size),
            ..SimpleResponse::default()
        });
        response
            .metadata_mut()
            .insert("x-own", "of the response".parse().unwrap());
        Ok(response)
    }

    /// Sends what is asked for, each as it is asked for, and tells afterwards how much that was.
    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        let call = Call::of(request.extensions())
            .expect("every call has one")
            .clone();
        self.follow(&call);
        let wanted = request.into_inner().response_parameters;
        if wanted.iter().any(|one| one.compressed.is_some()) {
            call.compress(false);
        }
        let stream = futures::stream::unfold((wanted.into_iter(), 0), move |(mut wanted, sent)| {
            let call = call.clone();
            async move {
                let Some(next) = wanted.next() else {
                    call.add_trailing_metadata(one("x-sent", &sent.to_string()));
                    return None;
                };
                assert_eq!(Call::current().expect("also in a stream").method(), call.method());
                if next.interval_us > 0 {
                    // may sleep: the stream under test is a slow one
                    tokio::time::sleep(Duration::from_micros(next.interval_us.unsigned_abs().into())).await;
                }
                if let Some(compressed) = next.compressed {
                    call.compress_next(compressed.value);
                }
                Some((Ok(answer(next.size)), (wanted, sent + next.size)))
            }
        });
        Ok(Response::new(Box::pin(stream)))
    }

    /// Answers at the first message over 1000 bytes, or at the end.
    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let call = Call::of(request.extensions())
            .expect("every call has one")
            .clone();
        let mut stream = request.into_inner();
        let mut sum = 0;
        while let Some(part) = stream.message().await? {
            self.notes
                .compressed
                .lock()
                .unwrap()
                .push(call.message_was_compressed());
            let size = part.payload.map_or(0, |payload| payload.body.len());
            sum += i32::try_from(size).unwrap();
            if size > 1000 {
                break;
            }
        }
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size: sum,
        }))
    }

    /// Speaks first, then answers each message with one of the size that it asks for.
    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        self.follow(Call::of(request.extensions()).expect("every call has one"));
        let answers = request.into_inner().map(|asked| {
            let parameters = asked?.response_parameters;
            Ok(answer(parameters.first().map_or(0, |first| first.size)))
        });
        let first = futures::stream::iter([Ok(answer(1))]);
        Ok(Response::new(Box::pin(first.chain(answers))))
    }

    /// Hears everything, then answers all of it.
    async fn half_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        let mut stream = request.into_inner();
        let mut wanted = Vec::new();
        while let Some(asked) = stream.message().await? {
            wanted.extend(asked.response_parameters);
        }
        let answers = wanted.into_iter().map(|one| Ok(answer(one.size)));
        Ok(Response::new(Box::pin(futures::stream::iter(answers))))
    }
}

/// A served talker.
pub(crate) struct Server {
    pub(crate) serving: Serving,
    pub(crate) notes: Arc<Notes>,
    _tasks: Tasks,
}

impl Server {
    pub(crate) async fn start(security: Security) -> Self {
        Self::start_with(security, None, |calls| calls).await
    }

    pub(crate) async fn start_with(
        security: Security,
        next: Option<Channel>,
        shape: impl FnOnce(Calls) -> Calls,
    ) -> Self {
        let tasks = Tasks::new();
        let notes = Arc::<Notes>::default();
        let talker = Talker {
            notes: Arc::clone(&notes),
            tasks: tasks.clone(),
            next,
        };
        let server = TestServiceServer::new(talker);
        let calls = shape(Calls::new(Routes::new(server), CallLimits::default()));
        let listener = Listener::bind(ListenAddress::loopback(0), security)
            .await
            .unwrap();
        let serving = rpc::serve(listener, calls, &tasks, Limits::default());
        Self {
            serving,
            notes,
            _tasks: tasks,
        }
    }

    pub(crate) fn target(&self) -> Target {
        Target::from(self.serving.address())
            .with_server_name(ZONE)
            .unwrap()
    }

    pub(crate) async fn client(&self) -> TestServiceClient<Channel> {
        let channel = rpc::connect(&self.target(), &rpc::Trust::Plaintext).await;
        TestServiceClient::new(channel.unwrap())
    }

    /// Waits until as many ends are noted.
    pub(crate) async fn ends(&self, count: usize) -> Vec<(End, bool)> {
        let noted = || self.notes.ends.lock().unwrap().clone();
        let there = testbed::eventually(SOON, async || noted().len() >= count).await;
        assert!(there, "in vain: {count} ends, {:?}", noted());
        noted()
    }
}

/// An answer as it came over the wire: each message with its mark, and the trailers.
pub(crate) async fn collect(
    answer: http::Response<hyper::body::Incoming>,
) -> (Vec<(bool, Bytes)>, http::HeaderMap) {
    let collected = tokio::time::timeout(SOON, answer.into_body().collect()).await;
    let collected = collected.expect("the answer ends").unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let mut bytes = BytesMut::from(collected.to_bytes().as_ref());
    let mut messages = Vec::new();
    while let Some(&[mark, a, b, c, d]) = bytes.first_chunk() {
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
        let message = bytes.split_to(5 + length).freeze().slice(5..);
        messages.push((mark == 1, message));
    }
    assert!(bytes.is_empty());
    (messages, trailers)
}

/// A body of these bytes, which ends after them.
pub(crate) fn whole(bytes: Vec<u8>) -> Body {
    Body::new(http_body_util::Full::new(Bytes::from(bytes)))
}

/// A body that is fed through the other half.
pub(crate) fn fed() -> (tokio::sync::mpsc::Sender<Vec<u8>>, Body) {
    let (feed, pieces) = tokio::sync::mpsc::channel(4);
    let pieces = tokio_stream::wrappers::ReceiverStream::new(pieces);
    let frames =
        pieces.map(|piece: Vec<u8>| Ok::<_, std::convert::Infallible>(http_body::Frame::data(piece.into())));
    (feed, Body::new(StreamBody::new(frames)))
}
