//! Servers that do harm to whoever asks them.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use rpc::{Limits, ListenAddress, Listener, Security, Target, Trust};
use tasks::Tasks;
use tonic::{Code, body::Body};
use wire::grpc::testing::test_service_client::TestServiceClient;

use crate::support::{ZONE, waits};

/// A status whose details are no base64, in the head of an answer or behind it.
pub(crate) fn answer(in_trailers: bool) -> Response<Body> {
    let mut status = HeaderMap::new();
    status.insert("grpc-status", "3".parse().unwrap());
    status.insert("grpc-message", "no%20such%20thing".parse().unwrap());
    status.insert("grpc-status-details-bin", "%%%".parse().unwrap());
    let mut response = if in_trailers {
        let frames = [Ok::<_, Infallible>(Frame::<Bytes>::trailers(status))];
        Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))))
    } else {
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = status;
        response
    };
    let kind = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", kind);
    response
}

#[tokio::test]
async fn details_that_nobody_can_read_harm_no_caller() {
    for in_trailers in [false, true] {
        let service =
            tower::service_fn(move |_request: Request<Body>| async move { Ok(answer(in_trailers)) });
        let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await;
        let tasks = Tasks::new();
        let serving = rpc::serve(listener.unwrap(), service, &tasks, Limits::default());
        let target = Target::from(serving.address()).with_server_name(ZONE).unwrap();
        let channel = rpc::connect(&target, &Trust::Plaintext).await.unwrap();
        let asked = TestServiceClient::new(channel).unary_call(waits(0)).await;
        let status = asked.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "no such thing")
        );
        assert!(status.details().is_empty());
    }
}
