//! A test server with one fault: each case of our client sees the fault that it is there to see.
//!
//! What it leaves to others: the server without a fault (`ours`).

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream};
use http::Request as HttpRequest;
use interop::{Case, Settings, Soak};
use rpc::{
    Call, CallLimits, Calls, ClientCertificates, Limits, ListenAddress, Listener, Security, Serving, Target,
    TlsSource, Trust, server_config,
};
use tasks::Tasks;
use tonic::{Code, Request, Response, Status, Streaming, body::Body, metadata::MetadataMap, service::Routes};
use tower::Service;
use wire::grpc::testing::{
    EchoStatus, Empty, Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_server::{TestService, TestServiceServer},
};

use crate::{
    ours::WITH_TOKENS,
    support::{self, Authority, EMAIL, Mode, NAME, SCOPE},
};

const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
const EMPTY: &str = "/grpc.testing.TestService/EmptyCall";
const UNARY: &str = "/grpc.testing.TestService/UnaryCall";
const ELSEWHERE: &str = "/grpc.testing.UnimplementedService/UnimplementedCall";

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// An empty message has something in it.
    Filled,
    /// A service that must not be there is there.
    Built,
    /// Each payload is a byte short.
    Short,
    /// What is summed up is one too many.
    Miscounted,
    OneMore,
    OneLess,
    Backwards,
    /// One more answer when all have been given.
    Late,
    /// Metadata for the end comes at the beginning too.
    TrailingFirst,
    /// Metadata for the beginning comes at the end.
    InitialLast,
    NoTrailing,
    OtherCode,
    OtherText,
    /// Says nothing against a message that is not compressed as it says.
    TakesAll,
    AlwaysPacked,
    NeverPacked,
    /// Another id each time.
    Changing,
    NoId,
    /// Takes its time.
    Slow,
    /// Refuses what comes without the metadata `x-run`.
    Particular,
    /// Takes everybody for the account, with the scope that is asked for.
    Credulous,
    /// The same with a scope that nobody has asked for.
    OtherScope,
}

type Outputs = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;

/// The service with its fault: in calls with one request, or in streams.
#[derive(Clone)]
struct Wrong {
    unary: Fault,
    stream: Fault,
    calls: Arc<AtomicU32>,
}

fn status(fault: Fault, asked: Option<EchoStatus>) -> Result<(), Status> {
    match (fault, asked) {
        (_, None) => Ok(()),
        (Fault::OtherCode, Some(EchoStatus { message, .. })) => Err(Status::internal(message)),
        (Fault::OtherText, Some(EchoStatus { code, message })) => Err(Status::new(
            code.into(),
            message.trim().replace("status", "state"),
        )),
        (_, Some(EchoStatus { code, message })) => Err(Status::new(code.into(), message)),
    }
}

fn echo(fault: Fault, metadata: &MetadataMap, call: &Call) -> Result<MetadataMap, Status> {
    let (mut initial, mut trailing) = (MetadataMap::new(), MetadataMap::new());
    if let Some(value) = metadata.get(INITIAL) {
        let place = if fault == Fault::InitialLast {
            &mut trailing
        } else {
            &mut initial
        };
        place.insert(INITIAL, value.clone());
    }
    if let Some(value) = metadata.get_bin(TRAILING) {
        if fault == Fault::TrailingFirst {
            initial.insert_bin(TRAILING, value.clone());
        }
        if fault != Fault::NoTrailing {
            trailing.insert_bin(TRAILING, value.clone());
        }
    }
    call.add_trailing_metadata(trailing);
    match fault == Fault::Particular && !metadata.contains_key("x-run") {
        true => Err(Status::invalid_argument("x-run is missing")),
        false => Ok(initial),
    }
}

fn payload(fault: Fault, size: i32) -> Option<Payload> {
    let size = usize::try_from(size).unwrap() - usize::from(fault == Fault::Short);
    Some(Payload {
        r#type: 0,
        body: vec![0; size].into(),
    })
}

fn held(fault: Fault, call: &Call, expected: Option<bool>) -> Result<(), Status> {
    match expected == Some(true) && !call.message_was_compressed() && fault != Fault::TakesAll {
        true => Err(Status::invalid_argument("not compressed")),
        false => Ok(()),
    }
}

fn outputs(fault: Fault, call: Call, asked: StreamingOutputCallRequest) -> Outputs {
    let mut wanted = asked.response_parameters;
    if fault == Fault::OneMore {
        wanted.extend(wanted.last().copied());
    } else if fault == Fault::OneLess {
        wanted.pop();
    } else if fault == Fault::Backwards {
        wanted.reverse();
    }
    Box::pin(stream::iter(wanted).map(move |one| {
        let packed = one.compressed.is_some_and(|wanted| wanted.value);
        call.compress_next(packed || fault == Fault::AlwaysPacked);
        Ok(StreamingOutputCallResponse {
            payload: payload(fault, one.size),
        })
    }))
}

fn with<T>(message: T, metadata: MetadataMap) -> Response<T> {
    Response::from_parts(metadata, message, http::Extensions::new())
}

#[tonic::async_trait]
impl TestService for Wrong {
    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        let call = Call::of(request.extensions()).unwrap();
        Ok(with(Empty {}, echo(self.unary, request.metadata(), call)?))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let call = Call::of(request.extensions()).unwrap().clone();
        let initial = echo(self.unary, request.metadata(), &call)?;
        let asked = request.into_inner();
        status(self.unary, asked.response_status)?;
        held(
            self.unary,
            &call,
            asked.expect_compressed.map(|wanted| wanted.value),
        )?;
        if self.unary == Fault::Slow {
            // may sleep: it is how slow this server is, longer than the case has in all
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        let packed = asked.response_compressed.is_some_and(|wanted| wanted.value);
        call.compress((packed && self.unary != Fault::NeverPacked) || self.unary == Fault::AlwaysPacked);
        let ids = [
            (Fault::Changing, number.to_string()),
            (Fault::NoId, String::new()),
        ];
        let mut ids = ids.into_iter();
        let id = ids.find_map(|(fault, id)| (fault == self.unary).then_some(id));
        let answer = SimpleResponse {
            payload: payload(self.unary, asked.response_size),
            username: match matches!(self.unary, Fault::Credulous | Fault::OtherScope) {
                true => EMAIL.to_owned(),
                false => String::new(),
            },
            oauth_scope: match self.unary == Fault::OtherScope {
                true => "another".to_owned(),
                false => SCOPE.to_owned(),
            },
            server_id: id.unwrap_or_else(|| "one".to_owned()),
            ..SimpleResponse::default()
        };
        Ok(with(answer, initial))
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Outputs>, Status> {
        let call = Call::of(request.extensions()).unwrap().clone();
        call.compress(false);
        Ok(Response::new(outputs(self.stream, call, request.into_inner())))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let call = Call::of(request.extensions()).unwrap().clone();
        let mut requests = request.into_inner();
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut sum = usize::from(self.stream == Fault::Miscounted);
        while let Some(message) = requests.message().await? {
            held(
                self.stream,
                &call,
                message.expect_compressed.map(|wanted| wanted.value),
            )?;
            sum += message.payload.unwrap().body.len();
        }
        let aggregated_payload_size = i32::try_from(sum).unwrap();
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size,
        }))
    }

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Outputs>, Status> {
        let fault = self.stream;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let call = Call::of(request.extensions()).unwrap().clone();
        call.compress(false);
        let initial = echo(fault, request.metadata(), &call)?;
        let late = (fault == Fault::Late).then(|| StreamingOutputCallResponse {
            payload: payload(fault, 1),
        });
        let answers = request.into_inner().flat_map(move |request| {
            let asked = request.and_then(|mut asked| {
                status(fault, asked.response_status.take())?;
                Ok(asked)
            });
            match asked {
                Ok(asked) => outputs(fault, call.clone(), asked),
                Err(status) => Box::pin(stream::iter([Err(status)])),
            }
        });
        Ok(with(Box::pin(answers.chain(stream::iter(late.map(Ok)))), initial))
    }

    async fn unimplemented_method(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(match self.unary == Fault::OtherCode {
            true => Status::not_found("there is none"),
            false => Status::unimplemented("not built"),
        })
    }
}

/// Leads calls of one path to another, whose handler answers with something else.
#[derive(Clone)]
struct Led {
    calls: Calls,
    way: Option<(&'static str, &'static str)>,
}

impl Service<HttpRequest<Body>> for Led {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.calls.poll_ready(cx)
    }

    fn call(&mut self, mut request: HttpRequest<Body>) -> Self::Future {
        if let Some((_, to)) = self.way.filter(|(from, _)| request.uri().path() == *from) {
            *request.uri_mut() = http::Uri::from_static(to);
        }
        self.calls.call(request).boxed()
    }
}

/// A running server with faults, and what reaches it.
struct Bed {
    settings: Settings,
    calls: Arc<AtomicU32>,
    serving: Serving,
    _tasks: Tasks,
}

async fn open(unary: Fault, stream: Fault) -> Bed {
    open_with(unary, stream, Security::Plain).await
}

async fn open_with(unary: Fault, stream: Fault, security: Security) -> Bed {
    let tasks = Tasks::new();
    let calls = Arc::new(AtomicU32::new(0));
    let service = Wrong {
        unary,
        stream,
        calls: Arc::clone(&calls),
    };
    let routes = Routes::new(TestServiceServer::new(service));
    let mut ways = [(Fault::Filled, EMPTY, UNARY), (Fault::Built, ELSEWHERE, EMPTY)].into_iter();
    let led = Led {
        calls: Calls::new(routes, CallLimits::default()),
        way: ways.find_map(|(fault, from, to)| (fault == unary).then_some((from, to))),
    };
    let listener = Listener::bind(ListenAddress::loopback(0), security)
        .await
        .unwrap();
    let serving = rpc::serve(listener, led, &tasks, Limits::default());
    let settings = Settings {
        target: Target::from(serving.address()),
        host: "localhost".to_owned(),
        trust: Trust::Plaintext,
        holder: None,
        metadata: MetadataMap::new(),
        service_config: None,
        account: None,
        default_account: String::new(),
        scope: String::new(),
        machine: None,
        soak: Soak {
            acceptable_latency: Duration::from_secs(60),
            overall: Duration::from_secs(120),
            ..Soak::default()
        },
        concurrent: 5,
    };
    Bed {
        settings,
        calls,
        serving,
        _tasks: tasks,
    }
}

#[tokio::test]
async fn each_case_sees_the_fault_that_it_is_there_to_see() {
    use Fault::Nothing as Right;
    let mut missed = Vec::new();
    for (case, unary, stream) in [
        (Case::EmptyUnary, Fault::Filled, Right),
        (Case::LargeUnary, Fault::Short, Right),
        (Case::ConcurrentLargeUnary, Fault::Short, Right),
        (Case::RpcSoak, Fault::Short, Right),
        (Case::ChannelSoak, Fault::Short, Right),
        (Case::ClientStreaming, Right, Fault::Miscounted),
        (Case::ServerStreaming, Right, Fault::OneMore),
        (Case::ServerStreaming, Right, Fault::OneLess),
        (Case::ServerStreaming, Right, Fault::Backwards),
        (Case::ServerStreaming, Right, Fault::Short),
        (Case::PingPong, Right, Fault::OneMore),
        (Case::PingPong, Right, Fault::Late),
        (Case::PingPong, Right, Fault::Short),
        (Case::EmptyStream, Right, Fault::Late),
        (Case::CustomMetadata, Fault::TrailingFirst, Right),
        (Case::CustomMetadata, Fault::InitialLast, Right),
        (Case::CustomMetadata, Fault::NoTrailing, Right),
        (Case::CustomMetadata, Fault::Short, Right),
        (Case::CustomMetadata, Right, Fault::TrailingFirst),
        (Case::CustomMetadata, Right, Fault::InitialLast),
        (Case::CustomMetadata, Right, Fault::NoTrailing),
        (Case::StatusCodeAndMessage, Fault::OtherCode, Right),
        (Case::StatusCodeAndMessage, Fault::OtherText, Right),
        (Case::StatusCodeAndMessage, Right, Fault::OtherCode),
        (Case::StatusCodeAndMessage, Right, Fault::OtherText),
        (Case::SpecialStatusMessage, Fault::OtherText, Right),
        (Case::SpecialStatusMessage, Fault::OtherCode, Right),
        (Case::UnimplementedMethod, Fault::OtherCode, Right),
        (Case::UnimplementedService, Fault::Built, Right),
        (Case::CancelAfterFirstResponse, Right, Fault::Short),
        (Case::ClientCompressedUnary, Fault::TakesAll, Right),
        (Case::ClientCompressedUnary, Fault::Short, Right),
        (Case::ClientCompressedStreaming, Right, Fault::TakesAll),
        (Case::ClientCompressedStreaming, Right, Fault::Miscounted),
        (Case::ServerCompressedUnary, Fault::AlwaysPacked, Right),
        (Case::ServerCompressedUnary, Fault::NeverPacked, Right),
        (Case::ServerCompressedUnary, Fault::Short, Right),
        (Case::ServerCompressedStreaming, Right, Fault::AlwaysPacked),
        (Case::ServerCompressedStreaming, Right, Fault::OneMore),
        (Case::PickFirstUnary, Fault::Changing, Right),
        (Case::PickFirstUnary, Fault::NoId, Right),
    ] {
        let right = open(Right, Right).await;
        case.run(&right.settings).await.unwrap();
        let wrong = open(unary, stream).await;
        if case.run(&wrong.settings).await.is_ok() {
            missed.push((case, unary, stream));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test]
async fn a_case_with_tokens_holds_the_server_to_who_has_called_and_with_which_scope() {
    let scoped = [
        Case::ComputeEngineCreds,
        Case::ServiceAccountCreds,
        Case::Oauth2AuthToken,
        Case::PerRpcCreds,
        Case::ComputeEngineChannelCredentials,
    ];
    let mut seen = Vec::new();
    for fault in [Fault::Nothing, Fault::OtherScope, Fault::Credulous] {
        // The tokens come from a good server's issuer.
        let mut good = support::Bed::open(Mode::Tls).await;
        let authority = Authority::new();
        let settings = server_config(authority.identity(NAME), &ClientCertificates::Unasked).unwrap();
        let security = Security::Tls(TlsSource::new(settings));
        let wrong = open_with(fault, Fault::Nothing, security).await;
        let target = Target::from(wrong.serving.address());
        good.settings.target = target.with_server_name(NAME).unwrap();
        good.settings.trust = Trust::Authority { pem: authority.pem() };
        for case in WITH_TOKENS {
            // One knows nobody, one gives away another scope, and one knows who has called even where nobody said.
            let refused = fault == Fault::Nothing
                || (fault == Fault::OtherScope && scoped.contains(case))
                || *case == Case::PerRpcCreds;
            let came = case.run(&good.settings).await;
            if came.is_err() != refused {
                seen.push((fault, *case, came));
            }
        }
    }
    assert!(seen.is_empty(), "{seen:#?}");
}

#[tokio::test]
async fn a_soak_case_that_is_not_over_in_time_does_not_pass() {
    let mut bed = open(Fault::Slow, Fault::Nothing).await;
    bed.settings.soak.iterations = 1;
    bed.settings.soak.overall = Duration::from_millis(500);
    let fault = Case::RpcSoak.run(&bed.settings).await.unwrap_err().to_string();
    assert_eq!(fault, "calls made in time: 1 is right, and 0 came");
}

#[tokio::test]
async fn a_soak_case_makes_all_its_calls_however_many_callers_share_them() {
    for (iterations, threads) in [(10, 3), (2, 5), (6, 6)] {
        let mut bed = open(Fault::Nothing, Fault::Nothing).await;
        bed.settings.soak.iterations = iterations;
        bed.settings.soak.threads = threads;
        Case::RpcSoak.run(&bed.settings).await.unwrap();
        assert_eq!(bed.calls.load(Ordering::Relaxed), iterations, "{threads} callers");
    }
}

#[tokio::test]
async fn metadata_goes_along_with_the_calls_of_a_case() {
    let mut bed = open(Fault::Particular, Fault::Particular).await;
    for case in [Case::EmptyUnary, Case::LargeUnary, Case::PingPong] {
        let refused = case.run(&bed.settings).await.unwrap_err();
        assert!(
            matches!(&refused, interop::Error::Call { source, .. } if source.code() == Code::InvalidArgument)
        );
    }
    bed.settings.metadata.insert("x-run", "7".parse().unwrap());
    for case in [Case::EmptyUnary, Case::LargeUnary, Case::PingPong] {
        case.run(&bed.settings).await.unwrap();
    }
}

#[tokio::test]
async fn the_server_hears_of_calls_that_end_before_they_are_answered() {
    for case in [Case::CancelAfterBegin, Case::TimeoutOnSleepingServer] {
        let bed = open(Fault::Nothing, Fault::Nothing).await;
        // On a busy machine a millisecond may be over before anything goes out, but not each time.
        for _ in 0..20 {
            case.run(&bed.settings).await.unwrap();
        }
        let heard = async || bed.calls.load(Ordering::Relaxed) > 0;
        assert!(
            testbed::eventually(Duration::from_secs(20), heard).await,
            "{case}"
        );
    }
}
