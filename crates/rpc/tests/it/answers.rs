//! What a handler can say around its answer, and what it can know of its call.

use std::{io::Write as _, time::Duration};

use prost::Message as _;
use rpc::{ClientCertificates, End, Security, SecurityLevel, TlsSource, Trust, server_config};
use tokio::time::timeout;
use tonic::{Code, Request};
use wire::grpc::testing::{
    BoolValue, EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};

use crate::{
    support::{Authority, SOON, ZONE, bare_to, post},
    talker::{Server, collect, fed, one, whole},
};

fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(compressed)];
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(message).unwrap();
    packed.finish().unwrap()
}

fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut message = flate2::write::GzDecoder::new(Vec::new());
    message.write_all(packed).unwrap();
    message.finish().unwrap()
}

fn sized(size: i32, compressed: bool) -> ResponseParameters {
    ResponseParameters {
        size,
        interval_us: 0,
        compressed: Some(BoolValue { value: compressed }),
    }
}

#[tokio::test]
async fn trailing_metadata_comes_with_success_and_with_failure_and_never_replaces_the_status() {
    let server = Server::start(Security::Plain).await;
    let mut sender = bare_to(server.serving.address()).await;
    let mut request = post("/grpc.testing.TestService/UnaryCall");
    let asked = SimpleRequest::default().encode_to_vec();
    *request.body_mut() = whole(framed(false, &asked));
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.headers()["x-own"], "of the response");
    assert!(!answer.headers().contains_key("x-after"));
    let (messages, trailers) = collect(answer).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(trailers.get_all("grpc-status").iter().collect::<Vec<_>>(), ["0"]);
    assert_eq!(trailers["x-after"], "all is said");
    let failing = SimpleRequest {
        response_status: Some(EchoStatus {
            code: 9,
            message: "as asked".to_owned(),
        }),
        ..SimpleRequest::default()
    };
    let status = server.client().await.unary_call(failing).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "as asked")
    );
    assert_eq!(status.metadata().get("x-after").unwrap(), "all is said");
}

#[tokio::test]
async fn trailing_metadata_may_tell_what_came_of_a_stream() {
    let server = Server::start(Security::Plain).await;
    let asked = StreamingOutputCallRequest {
        response_parameters: [30, 0, 4]
            .map(|size| ResponseParameters {
                size,
                ..Default::default()
            })
            .into(),
        ..StreamingOutputCallRequest::default()
    };
    let answer = server.client().await.streaming_output_call(asked).await.unwrap();
    assert!(answer.metadata().get("x-sent").is_none());
    let mut stream = answer.into_inner();
    let mut count = 0;
    while stream.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 3);
    let trailers = stream.trailers().await.unwrap().expect("there are trailers");
    assert_eq!(trailers.get("x-sent").unwrap(), "34");
}

#[tokio::test]
async fn a_handler_sends_initial_metadata_long_before_it_answers() {
    let server = Server::start(Security::Plain).await;
    let mut sender = bare_to(server.serving.address()).await;
    let asked = |status| SimpleRequest {
        payload: Some(Payload {
            r#type: 0,
            body: b"early".as_slice().into(),
        }),
        response_size: status,
        ..SimpleRequest::default()
    };
    let mut request = post("/grpc.testing.TestService/UnaryCall");
    *request.body_mut() = whole(framed(false, &asked(7).encode_to_vec()));
    let answer = timeout(SOON, sender.send_request(request))
        .await
        .expect("headers come")
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    assert_eq!(answer.headers()["x-before"], "on its way");
    assert!(!answer.headers().contains_key("grpc-status"));
    server.notes.go_on.notify_one();
    let (messages, trailers) = collect(answer).await;
    let message = SimpleResponse::decode(messages[0].1.clone()).unwrap();
    assert_eq!(message.payload.unwrap().body.len(), 7);
    assert_eq!(
        (&trailers["grpc-status"], &trailers["x-after"]),
        (&"0".parse().unwrap(), &"all is said".parse().unwrap())
    );
    // The same for a call that ends at its deadline after that.
    let mut request = post("/grpc.testing.TestService/UnaryCall");
    *request.body_mut() = whole(framed(false, &asked(-1).encode_to_vec()));
    request
        .headers_mut()
        .insert("grpc-timeout", "1500m".parse().unwrap());
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.headers()["x-before"], "on its way");
    let (messages, trailers) = collect(answer).await;
    assert!(messages.is_empty());
    assert_eq!(trailers["grpc-status"], "4");
    assert_eq!(server.ends(2).await[1], (End::DeadlinePassed, true));
}

#[tokio::test]
async fn initial_metadata_goes_out_before_the_first_message_of_the_request() {
    let server = Server::start_with(Security::Plain, None, |calls| {
        calls.with_greeting(|call, metadata| {
            let name = metadata.get("x-name")?.to_str().ok()?.to_owned();
            let left = call.deadline()?.time_remaining();
            let in_time = left > Duration::from_secs(5) && left <= Duration::from_secs(10);
            Some(one("x-greeting", &format!("{name} {} {in_time}", call.method())))
        })
    })
    .await;
    let mut sender = bare_to(server.serving.address()).await;
    let (feed, body) = fed();
    let mut request = post("/grpc.testing.TestService/UnaryCall");
    *request.body_mut() = body;
    request.headers_mut().insert("x-name", "Ada".parse().unwrap());
    request
        .headers_mut()
        .insert("grpc-timeout", "10S".parse().unwrap());
    let answer = timeout(SOON, sender.send_request(request))
        .await
        .expect("headers come")
        .unwrap();
    assert_eq!(
        answer.headers()["x-greeting"],
        "Ada /grpc.testing.TestService/UnaryCall true"
    );
    feed.send(framed(false, &SimpleRequest::default().encode_to_vec()))
        .await
        .unwrap();
    drop(feed);
    let (messages, trailers) = collect(answer).await;
    assert_eq!(
        (messages.len(), &trailers["grpc-status"]),
        (1, &"0".parse().unwrap())
    );
    // Nobody is greeted who gives no name.
    let mut request = post("/grpc.testing.TestService/UnaryCall");
    *request.body_mut() = whole(framed(false, &[]));
    let answer = sender.send_request(request).await.unwrap();
    assert!(!answer.headers().contains_key("x-greeting"));
}

#[tokio::test]
async fn compressed_messages_are_unpacked_and_the_handler_sees_which_they_were() {
    let server = Server::start(Security::Plain).await;
    let mut sender = bare_to(server.serving.address()).await;
    let part = StreamingInputCallRequest {
        payload: Some(Payload {
            r#type: 0,
            body: vec![b'x'; 900].into(),
        }),
        expect_compressed: None,
    }
    .encode_to_vec();
    let marks = [true, false, false, true, false, true, true];
    let bytes: Vec<_> = marks
        .iter()
        .flat_map(|mark| framed(*mark, &if *mark { gzip(&part) } else { part.clone() }))
        .collect();
    let mut request = post("/grpc.testing.TestService/StreamingInputCall");
    *request.body_mut() = whole(bytes);
    request
        .headers_mut()
        .insert("grpc-encoding", "gzip".parse().unwrap());
    let answer = sender.send_request(request).await.unwrap();
    let (messages, trailers) = collect(answer).await;
    assert_eq!(trailers["grpc-status"], "0");
    let sum = StreamingInputCallResponse::decode(messages[0].1.clone()).unwrap();
    assert_eq!(sum.aggregated_payload_size, 6300);
    assert_eq!(*server.notes.compressed.lock().unwrap(), marks);
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_refused_with_the_code_that_fits() {
    let server = Server::start(Security::Plain).await;
    let mut sender = bare_to(server.serving.address()).await;
    let bomb = gzip(&vec![0; 4 * 1024 * 1024 + 1]);
    assert!(bomb.len() < 10_000);
    for (encoding, message, code) in [
        ("gzip", bomb, "8"),
        ("gzip", b"not gzip".to_vec(), "3"),
        ("identity", gzip(b""), "13"),
        ("br", Vec::new(), "12"),
    ] {
        let mut request = post("/grpc.testing.TestService/UnaryCall");
        *request.body_mut() = whole(framed(true, &message));
        request
            .headers_mut()
            .insert("grpc-encoding", encoding.parse().unwrap());
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], code, "{encoding}");
        if code == "12" {
            assert_eq!(answer.headers()["grpc-accept-encoding"], "identity,gzip");
        }
    }
}

#[tokio::test]
async fn a_handler_compresses_message_by_message_where_its_caller_takes_gzip() {
    let server = Server::start(Security::Plain).await;
    let mut sender = bare_to(server.serving.address()).await;
    let marks = [true, false, true, true, false];
    let asked = StreamingOutputCallRequest {
        response_parameters: marks.map(|mark| sized(5000, mark)).into(),
        ..StreamingOutputCallRequest::default()
    };
    for accepts in [true, false] {
        let mut request = post("/grpc.testing.TestService/StreamingOutputCall");
        *request.body_mut() = whole(framed(false, &asked.encode_to_vec()));
        if accepts {
            let list = "identity, gzip".parse().unwrap();
            request.headers_mut().insert("grpc-accept-encoding", list);
        }
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.headers().contains_key("grpc-encoding"), accepts);
        let (messages, trailers) = collect(answer).await;
        assert_eq!(
            (&trailers["grpc-status"], &trailers["x-sent"]),
            (&"0".parse().unwrap(), &"25000".parse().unwrap())
        );
        let seen: Vec<_> = messages.iter().map(|(mark, _)| *mark).collect();
        assert_eq!(seen, marks.map(|mark| mark && accepts));
        for (mark, message) in messages {
            assert_eq!(message.len() < 1000, mark);
            let message = if mark { gunzip(&message) } else { message.to_vec() };
            assert!(message.len() > 5000);
        }
    }
    let mut request = post("/grpc.testing.TestService/UnaryCall");
    let asked = SimpleRequest {
        response_size: 5000,
        response_compressed: Some(BoolValue { value: true }),
        ..SimpleRequest::default()
    };
    *request.body_mut() = whole(framed(false, &asked.encode_to_vec()));
    request
        .headers_mut()
        .insert("grpc-accept-encoding", "gzip".parse().unwrap());
    let (messages, _) = collect(sender.send_request(request).await.unwrap()).await;
    assert!(messages[0].0 && messages[0].1.len() < 1000);
}

#[tokio::test]
async fn work_outside_a_handler_learns_how_its_call_ended() {
    let server = Server::start(Security::Plain).await;
    let mut client = server.client().await;
    client.unary_call(SimpleRequest::default()).await.unwrap();
    assert_eq!(server.ends(1).await[0], (End::Answered, false));
    let for_ever = || SimpleRequest {
        response_size: -1,
        ..SimpleRequest::default()
    };
    // Said by hand, so that nobody but the server looks at the time.
    let mut sender = bare_to(server.serving.address()).await;
    let mut late = post("/grpc.testing.TestService/UnaryCall");
    *late.body_mut() = whole(framed(false, &for_ever().encode_to_vec()));
    late.headers_mut()
        .insert("grpc-timeout", "1500m".parse().unwrap());
    let answer = sender.send_request(late).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "4");
    assert_eq!(server.ends(2).await[1], (End::DeadlinePassed, true));
    server.notes.entered.notified().await;
    tokio::select! {
        answer = client.unary_call(for_ever()) => panic!("answered: {answer:?}"),
        () = async { server.notes.entered.notified().await } => {}
    }
    assert_eq!(server.ends(3).await[2], (End::Cancelled, true));
    // A stream that is left in its middle.
    let asked = StreamingOutputCallRequest {
        response_parameters: vec![
            ResponseParameters {
                size: 1,
                interval_us: 1000,
                compressed: None
            };
            100_000
        ],
        ..StreamingOutputCallRequest::default()
    };
    let mut stream = client.streaming_output_call(asked).await.unwrap().into_inner();
    stream.message().await.unwrap().expect("a first message");
    drop(stream);
    assert_eq!(server.ends(4).await[3], (End::Cancelled, true));
}

#[tokio::test]
async fn a_call_made_inside_a_handler_ends_no_later_than_the_handler_s_own() {
    let second = Server::start(Security::Plain).await;
    let onward = rpc::connect(&second.target(), &Trust::Plaintext).await.unwrap();
    let first = Server::start_with(Security::Plain, Some(onward), |calls| calls).await;
    let mut client = first.client().await;
    for (own, most) in [(Some(5), 5), (Some(60), 10), (None, 10)] {
        let mut request = Request::new(Empty::default());
        if let Some(own) = own {
            request.set_timeout(Duration::from_secs(own));
        }
        client.empty_call(request).await.unwrap();
        let left = second
            .notes
            .left
            .lock()
            .unwrap()
            .pop()
            .unwrap()
            .expect("a deadline goes along");
        assert!(left <= Duration::from_secs(most), "{own:?}: {left:?}");
        assert!(left > Duration::from_secs(most - 4), "{own:?}: {left:?}");
    }
}

#[tokio::test]
async fn the_auth_context_tells_how_safe_a_connection_is_and_who_was_proved() {
    let plain = Server::start(Security::Plain).await;
    plain.client().await.empty_call(Empty::default()).await.unwrap();
    let context = plain.notes.contexts.lock().unwrap().pop().unwrap();
    assert_eq!(context.security(), SecurityLevel::Local);
    assert_eq!(context.property("transport_security_type"), ["local"]);
    assert!(!context.is_peer_authenticated());

    let authority = Authority::new();
    let tls = Server::start(authority.tls()).await;
    let channel = rpc::connect(&tls.target(), &authority.trust()).await.unwrap();
    TestServiceClient::new(channel)
        .empty_call(Empty::default())
        .await
        .unwrap();
    let context = tls.notes.contexts.lock().unwrap().pop().unwrap();
    assert_eq!(context.security(), SecurityLevel::Private);
    assert!(!context.is_peer_authenticated());

    let clients = ClientCertificates::Required {
        authorities: authority.pem(),
    };
    let config = server_config(authority.identity(&[ZONE]), &clients).unwrap();
    let mutual = Server::start(Security::Tls(TlsSource::new(config))).await;
    let holder = rpc::link::Holder::new(authority.identity(&["worker.example", "192.0.2.7"])).unwrap();
    let channel = rpc::connect_as(&mutual.target(), &authority.trust(), &holder)
        .await
        .unwrap();
    TestServiceClient::new(channel)
        .empty_call(Empty::default())
        .await
        .unwrap();
    let context = mutual.notes.contexts.lock().unwrap().pop().unwrap();
    assert!(context.is_peer_authenticated());
    assert_eq!(context.peer_identity(), ["worker.example", "192.0.2.7"]);
    assert_eq!(context.property("transport_security_type"), ["ssl"]);
    assert!(context.property("x509_pem_cert")[0].starts_with("-----BEGIN CERTIFICATE-----"));
    let names: Vec<_> = context.properties().map(|(name, _)| name).collect();
    assert!(names.contains(&"x509_common_name"), "{names:?}");
}

#[tokio::test]
async fn binary_metadata_comes_as_it_went_and_text_keeps_every_entry() {
    let server = Server::start(Security::Plain).await;
    let mut request = Request::new(Empty::default());
    let bytes: Vec<u8> = (0..=255).collect();
    let value = tonic::metadata::MetadataValue::from_bytes(&bytes);
    request.metadata_mut().insert_bin("x-proof-bin", value);
    for text in ["one", "two", "one"] {
        request.metadata_mut().append("x-text", text.parse().unwrap());
    }
    server.client().await.empty_call(request).await.unwrap();
    let metadata = server.notes.metadata.lock().unwrap().pop().unwrap();
    assert_eq!(
        metadata.get_bin("x-proof-bin").unwrap().to_bytes().unwrap(),
        bytes
    );
    let texts: Vec<_> = metadata.get_all("x-text").iter().collect();
    assert_eq!(texts, ["one", "two", "one"]);
}

#[tokio::test]
async fn the_server_ends_calls_with_many_requests_at_their_deadline_by_itself() {
    let server = Server::start(Security::Plain).await;
    let mut sender = bare_to(server.serving.address()).await;
    let upload = StreamingInputCallRequest::default().encode_to_vec();
    let talk = StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters::default()],
        ..StreamingOutputCallRequest::default()
    };
    let talk = talk.encode_to_vec();
    for (method, message, answers) in [
        ("StreamingInputCall", upload, 0),
        ("HalfDuplexCall", talk.clone(), 0),
        ("FullDuplexCall", talk, 2),
    ] {
        // The caller goes on for ever, and leaves the time to the server.
        let (feed, body) = fed();
        let mut request = post(&format!("/grpc.testing.TestService/{method}"));
        *request.body_mut() = body;
        let headers = request.headers_mut();
        headers.insert("grpc-timeout", "1500m".parse().unwrap());
        feed.send(framed(false, &message)).await.unwrap();
        let answer = timeout(SOON, sender.send_request(request)).await;
        let answer = answer.expect("it ends").unwrap();
        let early = answer.headers().get("grpc-status").cloned();
        let (messages, trailers) = collect(answer).await;
        let status = early.as_ref().or(trailers.get("grpc-status"));
        assert_eq!(status.expect("a status"), "4", "{method}");
        assert_eq!(messages.len(), answers, "{method}");
        drop(feed);
    }
    assert_eq!(server.ends(1).await[0], (End::DeadlinePassed, true));
}
