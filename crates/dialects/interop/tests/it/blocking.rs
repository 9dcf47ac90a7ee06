//! The cases that every library has, by a thread that knows no futures: gRPC's document wants the synchronous way of calling
//! to be as good as the other.

use std::time::Duration;

use rpc::{Blocking, CallOptions, Cancel, ChannelArgs, ChannelCredentials, Trust};
use tokio::runtime::Runtime;
use tonic::{Code, Request, metadata::MetadataValue};
use wire::grpc::testing::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, StreamingOutputCallResponse, test_service_client::TestServiceClient,
    unimplemented_service_client::UnimplementedServiceClient,
};

use crate::support::{Bed, Mode};

type Stub = TestServiceClient<rpc::Channel>;

const REQUESTS: [usize; 4] = [27_182, 8, 1_828, 45_904];
const ANSWERS: [usize; 4] = [31_415, 9, 2_653, 58_979];
const LARGE: (usize, usize) = (271_828, 314_159);
const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";

fn payload(size: usize) -> Option<Payload> {
    let body = vec![0; size].into();
    Some(Payload { r#type: 0, body })
}

fn large() -> SimpleRequest {
    SimpleRequest {
        response_size: i32::try_from(LARGE.1).unwrap(),
        payload: payload(LARGE.0),
        ..SimpleRequest::default()
    }
}

fn ping(request: usize, answers: &[usize]) -> StreamingOutputCallRequest {
    let one = |size: &usize| ResponseParameters {
        size: i32::try_from(*size).unwrap(),
        ..ResponseParameters::default()
    };
    StreamingOutputCallRequest {
        response_parameters: answers.iter().map(one).collect(),
        payload: payload(request),
        ..StreamingOutputCallRequest::default()
    }
}

fn size(answer: Option<Result<StreamingOutputCallResponse, tonic::Status>>) -> usize {
    let answer = answer.expect("an answer").expect("it goes well");
    answer.payload.map_or(0, |payload| payload.body.len())
}

fn status(message: &str) -> Option<EchoStatus> {
    Some(EchoStatus {
        code: Code::Unknown.into(),
        message: message.to_owned(),
    })
}

fn with<T>(message: T, options: CallOptions) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(options);
    request
}

fn cancelled_by<T>(message: T) -> (Request<T>, Cancel) {
    let cancel = Cancel::new();
    let options = CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    };
    (with(message, options), cancel)
}

fn messages(blocking: &Blocking, stub: &mut Stub) {
    assert_eq!(
        blocking.wait(stub.empty_call(Empty {})).unwrap().into_inner(),
        Empty {}
    );
    let answer = blocking.wait(stub.unary_call(large())).unwrap().into_inner();
    assert_eq!(answer.payload.unwrap().body.len(), LARGE.1);

    // client_streaming
    let (requests, asked) = blocking.requests(1);
    let sum = std::thread::scope(|scope| {
        scope.spawn(move || {
            for size in REQUESTS {
                assert!(requests.send(StreamingInputCallRequest {
                    payload: payload(size),
                    ..StreamingInputCallRequest::default()
                }));
            }
            requests.close();
        });
        blocking.wait(stub.streaming_input_call(asked))
    });
    assert_eq!(sum.unwrap().into_inner().aggregated_payload_size, 74_922);

    // server_streaming
    let stream = blocking.wait(stub.streaming_output_call(ping(0, &ANSWERS)));
    let answers = blocking.answers(stream.unwrap().into_inner());
    let sizes: Vec<_> = answers.map(|answer| size(Some(answer))).collect();
    assert_eq!(sizes, ANSWERS);

    // ping_pong
    let (requests, asked) = blocking.requests(1);
    let stream = blocking.wait(stub.full_duplex_call(asked)).unwrap();
    let mut answers = blocking.answers(stream.into_inner());
    for (request, answer) in REQUESTS.into_iter().zip(ANSWERS) {
        assert!(requests.send(ping(request, &[answer])));
        assert_eq!(size(answers.next()), answer);
    }
    requests.close();
    assert!(answers.next().is_none());

    // empty_stream
    let (requests, asked) = blocking.requests(1);
    requests.close();
    let stream = blocking.wait(stub.full_duplex_call(asked)).unwrap();
    assert!(blocking.answers(stream.into_inner()).next().is_none());
}

fn metadata_and_statuses(blocking: &Blocking, stub: &mut Stub) {
    // custom_metadata
    const INITIAL: &str = "x-grpc-test-echo-initial";
    const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
    let mut request = Request::new(large());
    let metadata = request.metadata_mut();
    metadata.insert(INITIAL, MetadataValue::from_static("test_initial_metadata_value"));
    metadata.insert_bin(TRAILING, MetadataValue::from_bytes(&[0xab; 3]));
    let answer = blocking.wait(stub.unary_call(request)).unwrap();
    let metadata = answer.metadata();
    assert_eq!(metadata.get(INITIAL).unwrap(), "test_initial_metadata_value");
    let trailing = metadata.get_bin(TRAILING).unwrap().to_bytes().unwrap();
    assert_eq!(trailing.as_ref(), [0xab; 3]);

    // status_code_and_message, special_status_message
    for message in ["test status message", SPECIAL] {
        let asked = SimpleRequest {
            response_status: status(message),
            ..SimpleRequest::default()
        };
        let said = blocking.wait(stub.unary_call(asked)).unwrap_err();
        assert_eq!((said.code(), said.message()), (Code::Unknown, message));
        let asked = StreamingOutputCallRequest {
            response_status: status(message),
            ..StreamingOutputCallRequest::default()
        };
        let stream = blocking.wait(stub.full_duplex_call(tokio_stream::iter([asked])));
        let said = match stream {
            Ok(stream) => blocking.answers(stream.into_inner()).next().unwrap().unwrap_err(),
            Err(status) => status,
        };
        assert_eq!((said.code(), said.message()), (Code::Unknown, message));
    }

    // unimplemented_method, unimplemented_service
    let said = blocking.wait(stub.unimplemented_method(Empty {})).unwrap_err();
    assert_eq!(said.code(), Code::Unimplemented);
    let mut other = UnimplementedServiceClient::new(blocking.channel());
    let said = blocking.wait(other.unimplemented_call(Empty {})).unwrap_err();
    assert_eq!(said.code(), Code::Unimplemented);
}

fn ends(blocking: &Blocking, stub: &mut Stub) {
    // cancel_after_begin
    let (requests, asked) = blocking.requests::<StreamingInputCallRequest>(1);
    let (request, cancel) = cancelled_by(asked);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| cancel.cancel());
        blocking.wait(stub.streaming_input_call(request)).unwrap_err()
    });
    assert_eq!(said.code(), Code::Cancelled);
    drop(requests);

    // cancel_after_first_response
    let (requests, asked) = blocking.requests(1);
    let (request, cancel) = cancelled_by(asked);
    let stream = blocking.wait(stub.full_duplex_call(request)).unwrap();
    let mut answers = blocking.answers(stream.into_inner());
    assert!(requests.send(ping(REQUESTS[0], &ANSWERS[..1])));
    assert_eq!(size(answers.next()), ANSWERS[0]);
    cancel.cancel();
    assert_eq!(answers.next().unwrap().unwrap_err().code(), Code::Cancelled);

    // timeout_on_sleeping_server
    let (requests, asked) = blocking.requests(1);
    assert!(requests.send(ping(REQUESTS[0], &[])));
    let mut request = Request::new(asked);
    request.extensions_mut().insert(CallOptions {
        deadline: Some(tasks::Clock::system().monotonic() + Duration::from_millis(1)),
        ..CallOptions::default()
    });
    let said = match blocking.wait(stub.full_duplex_call(request)) {
        Ok(stream) => blocking.answers(stream.into_inner()).next().unwrap().unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(said.code(), Code::DeadlineExceeded);
    drop(requests);
}

#[test]
fn a_thread_without_futures_passes_the_cases_that_every_library_has() {
    // The server's; the thread of this test stands outside of it.
    let runtime = Runtime::new().unwrap();
    for mode in [Mode::Plain, Mode::Tls, Mode::Mutual] {
        let bed = runtime.block_on(Bed::open(mode));
        let settings = &bed.settings;
        let credentials = match (&settings.trust, &settings.holder) {
            (Trust::Plaintext, _) => ChannelCredentials::insecure(),
            (trust, None) => ChannelCredentials::tls(trust.clone()),
            (trust, Some(holder)) => ChannelCredentials::mutual_tls(trust.clone(), holder.clone()),
        };
        let args = ChannelArgs::new().with_deadline(Duration::from_secs(60));
        let blocking = Blocking::new(&settings.target, &credentials, args).unwrap();
        let mut stub = Stub::new(blocking.channel());
        messages(&blocking, &mut stub);
        metadata_and_statuses(&blocking, &mut stub);
        ends(&blocking, &mut stub);
        let _entered = runtime.enter();
        drop(bed);
    }
}
