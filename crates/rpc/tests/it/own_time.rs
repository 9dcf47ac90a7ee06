//! Deadlines that a caller keeps by itself, at a server that knows of none.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message as _;
use rpc::{
    Limits, ListenAddress, Listener, Security, Target, Trust,
    link::{Dial, Door, Holder, Links, Pace, serve_reversed},
};
use tasks::{Clock, Tasks};
use tokio::time::timeout;
use tonic::{Code, Status, body::Body, client::GrpcService, codegen::StdError};
use wire::grpc::testing::{
    Payload, StreamingOutputCallRequest, StreamingOutputCallResponse, test_service_client::TestServiceClient,
};

use crate::{
    inherited::Open,
    support::{Authority, SOON, ZONE, eventually},
};

/// Answers with one message and then with nothing, or, where it is asked to, with one after the other without end.
async fn timeless(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    // Of a size that fills the windows at once: one thread serves both sides here.
    let text = vec![0; 64 * 1024];
    let payload = Some(Payload {
        r#type: 0,
        body: text.into(),
    });
    let message = StreamingOutputCallResponse { payload }.encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    let framed = Bytes::from(framed);
    let message = move || Ok::<_, Infallible>(Frame::data(framed.clone()));
    let first = futures::stream::iter([message()]);
    let body = if request.headers().contains_key("x-endless") {
        let more = futures::stream::repeat_with(message);
        Body::new(StreamBody::new(first.chain(more)))
    } else {
        Body::new(StreamBody::new(first.chain(futures::stream::pending())))
    };
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", kind);
    Ok(response)
}

/// Reads both kinds of answers to their end, which has to be the caller's own.
async fn ends_by_itself<T>(mut client: TestServiceClient<T>, way: &str)
where
    T: GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    let (clock, allowed) = (Clock::system(), Duration::from_millis(400));
    for endless in [false, true] {
        let begin = clock.monotonic();
        let mut asked = rpc::within(StreamingOutputCallRequest::default(), allowed);
        if endless {
            asked.metadata_mut().insert("x-endless", "1".parse().unwrap());
        }
        let mut messages = 0;
        let reading = async {
            let mut stream = client.streaming_output_call(asked).await?.into_inner();
            while stream.message().await?.is_some() {
                messages += 1;
            }
            Ok::<_, Status>(())
        };
        let ended = timeout(SOON, reading).await;
        let status = ended.expect("it ends").unwrap_err();
        assert_eq!(
            status.code(),
            Code::DeadlineExceeded,
            "{way}, endless: {endless}: {status}"
        );
        assert!(messages > 0, "{way}: the stream had begun");
        assert!(clock.monotonic() - begin >= allowed, "{way}");
    }
}

#[tokio::test]
async fn a_caller_ends_a_stream_that_has_begun_at_its_deadline_by_itself() {
    let tasks = Tasks::new();
    let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
    let service = tower::service_fn(timeless);
    let serving = rpc::serve(listener.unwrap(), service, &tasks, Limits::default());
    let target = Target::from(serving.address());
    let channel = rpc::connect(&target, &Trust::Plaintext).await.unwrap();
    ends_by_itself(TestServiceClient::new(channel), "over a channel").await;

    let (authority, links) = (Authority::new(), Links::new());
    let door = Door::new(&authority.pem(), Arc::new(Open), links.clone()).unwrap();
    let listener = Listener::bind(ListenAddress::loopback(0), authority.tls()).await;
    let listener = listener.unwrap().with_links(door);
    let hub = rpc::serve(listener, service, &tasks, Limits::default());
    let target = Target::from(hub.address()).with_server_name(ZONE).unwrap();
    let holder = Holder::new(authority.identity(&["far"])).unwrap();
    let dial = Dial::new(target, &authority.trust(), &holder, Pace::default()).unwrap();
    serve_reversed(&dial, &service, 1, &tasks);
    eventually("the link stands", || links.live("far") == 1).await;
    ends_by_itself(TestServiceClient::new(links.reach("far")), "over a link").await;
}
