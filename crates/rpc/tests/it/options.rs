//! What one call may say beside what its channel does: its deadline, and the compression of each message.

use std::time::Duration;

use rpc::{CallOptions, Channel, ChannelArgs, ChannelCredentials, Compression, Security, Target};
use tasks::Clock;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use wire::grpc::testing::{
    BoolValue, Empty, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, test_service_client::TestServiceClient,
};

use crate::talker::Server;

fn client(target: &Target, args: ChannelArgs) -> TestServiceClient<Channel> {
    TestServiceClient::new(Channel::new(target, &ChannelCredentials::insecure(), args).unwrap())
}

fn with<T>(message: T, options: CallOptions) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(options);
    request
}

fn part(size: usize) -> StreamingInputCallRequest {
    StreamingInputCallRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; size].into(),
        }),
        expect_compressed: None,
    }
}

fn by_message(compress: Option<bool>) -> (Compression, CallOptions) {
    let compression = Compression::new();
    let options = CallOptions {
        compress,
        compression: Some(compression.clone()),
        ..CallOptions::default()
    };
    (compression, options)
}

#[tokio::test]
async fn a_caller_chooses_for_each_message_whether_it_is_compressed() {
    let server = Server::start(Security::Plain).await;
    let mut client = client(&server.target(), ChannelArgs::new());
    let seen = || std::mem::take(&mut *server.notes.compressed.lock().unwrap());

    // Said beforehand for the first ones; for the others it goes as the call says.
    for (usual, wanted) in [
        (None, [true, false, false, false]),
        (Some(false), [true, false, false, false]),
        (Some(true), [true, false, true, true]),
    ] {
        let (compression, options) = by_message(usual);
        compression.compress_next(true);
        compression.compress_next(false);
        let parts = futures::stream::iter([900, 901, 0, 903].map(part));
        let answer = client.streaming_input_call(with(parts, options)).await.unwrap();
        assert_eq!(answer.into_inner().aggregated_payload_size, 2704);
        assert_eq!(seen(), wanted, "{usual:?}");
    }

    // Said message by message while the call runs.
    let (compression, options) = by_message(Some(false));
    let (send, parts) = mpsc::channel(1);
    let call = client.streaming_input_call(with(ReceiverStream::new(parts), options));
    let sending = async {
        for compressed in [false, true, true, false] {
            compression.compress_next(compressed);
            send.send(part(500)).await.unwrap();
        }
        drop(send);
    };
    let (answer, ()) = tokio::join!(call, sending);
    answer.unwrap();
    assert_eq!(seen(), [false, true, true, false]);

    // A call with one message.
    for compressed in [true, false] {
        let (compression, options) = by_message(None);
        compression.compress_next(compressed);
        client
            .unary_call(with(SimpleRequest::default(), options))
            .await
            .unwrap();
        assert_eq!(seen(), [compressed]);
    }
}

#[tokio::test]
async fn a_caller_sees_which_messages_came_compressed() {
    let server = Server::start(Security::Plain).await;
    let mut client = client(&server.target(), ChannelArgs::new());
    let wanted = [true, false, true, true, false];
    let asked = StreamingOutputCallRequest {
        response_parameters: wanted
            .map(|compressed| ResponseParameters {
                size: 5000,
                compressed: Some(BoolValue { value: compressed }),
                ..ResponseParameters::default()
            })
            .to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let (compression, options) = by_message(None);
    assert!(!compression.message_was_compressed());
    let call = client.streaming_output_call(with(asked, options)).await;
    let mut stream = call.unwrap().into_inner();
    for wanted in wanted {
        let message = stream
            .message()
            .await
            .unwrap()
            .expect("as many as were asked for");
        assert_eq!(message.payload.unwrap().body.len(), 5000);
        assert_eq!(compression.message_was_compressed(), wanted);
    }
    assert!(stream.message().await.unwrap().is_none());

    for compressed in [true, false] {
        let (compression, options) = by_message(None);
        let asked = SimpleRequest {
            response_size: 5000,
            response_compressed: Some(BoolValue { value: compressed }),
            ..SimpleRequest::default()
        };
        client.unary_call(with(asked, options)).await.unwrap();
        assert_eq!(compression.message_was_compressed(), compressed);
    }
}

#[tokio::test]
async fn a_deadline_is_a_point_in_time_a_length_of_time_or_the_channel_s() {
    let server = Server::start(Security::Plain).await;
    let clock = Clock::system();
    let secs = Duration::from_secs;
    let args = ChannelArgs::new().with_deadline(secs(500));
    let mut client = client(&server.target(), args);
    // By point in time, by length of time, and how much of it the server may see.
    for (point, length, least, most) in [
        (None, None, 400, 500),
        (Some(50), None, 20, 50),
        (Some(5000), None, 4000, 5000),
        (None, Some(50), 20, 50),
        (None, Some(5000), 4000, 5000),
        (Some(50), Some(5000), 20, 50),
        (Some(5000), Some(50), 20, 50),
    ] {
        let options = CallOptions {
            deadline: point.map(|after| clock.monotonic() + secs(after)),
            ..CallOptions::default()
        };
        let mut request = with(Empty::default(), options);
        if let Some(length) = length {
            request.set_timeout(secs(length));
        }
        client.empty_call(request).await.unwrap();
        let left = server.notes.left.lock().unwrap().pop().unwrap();
        let left = left.expect("the server knows of a deadline");
        assert!(
            (secs(least)..=secs(most)).contains(&left),
            "{point:?} {length:?}: {left:?}"
        );
    }
}

#[tokio::test]
async fn a_deadline_ends_a_call_however_it_was_said() {
    let server = Server::start(Security::Plain).await;
    let clock = Clock::system();
    let short = Duration::from_millis(300);
    let for_ever = || SimpleRequest {
        response_size: -1,
        ..SimpleRequest::default()
    };
    let mut usual = client(&server.target(), ChannelArgs::new().with_deadline(short));
    let mut client = client(&server.target(), ChannelArgs::new());
    let begin = clock.monotonic();
    let options = CallOptions {
        deadline: Some(begin + short),
        ..CallOptions::default()
    };
    let by_point = client.unary_call(with(for_ever(), options)).await;
    let mut timed = Request::new(for_ever());
    timed.set_timeout(short);
    let by_length = client.unary_call(timed).await;
    let by_channel = usual.unary_call(for_ever()).await;
    for answer in [by_point, by_length, by_channel] {
        assert_eq!(answer.unwrap_err().code(), Code::DeadlineExceeded);
    }
    assert!(begin.elapsed() >= 3 * short);
    // One that has passed already: nothing is sent.
    let past = CallOptions {
        deadline: Some(begin),
        ..CallOptions::default()
    };
    let status = client.empty_call(with(Empty::default(), past)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(server.notes.left.lock().unwrap().is_empty());
}
