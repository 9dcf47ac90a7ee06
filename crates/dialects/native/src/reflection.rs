//! What the native listener tells of its services to tools such as grpcurl: gRPC reflection, v1 and v1alpha, for those who
//! are signed in and may ask how the zone is.
//!
//! What it leaves to others: answering (tonic's reflection). What is described here anybody can read in `proto/`; the
//! bearer is asked for because nobody who is a stranger is told anything by this listener.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use access::zone;
use bytes::Bytes;
use caller::Callers;
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tonic::{Status, body::Body, metadata::MetadataMap, server::NamedService, service::RoutesBuilder};
use tonic_reflection::{
    pb::{v1, v1alpha},
    server::Builder,
};
use tower_service::Service;

/// The package of this protocol.
const OWN: &str = "soke.v1";
/// The names of the services that tell of themselves.
const HEALTH: &str = "grpc.health.v1.Health";
const VERSIONS: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Adds both versions of reflection, which tell of the services of this protocol, of those of the packages `beside`, of
/// health and of themselves.
pub(crate) fn add_to(routes: &mut RoutesBuilder, callers: &Callers, beside: &[&str]) {
    let files = FileDescriptorSet::decode(wire::DESCRIPTORS).expect("they were made with this program");
    let served = |file: &&FileDescriptorProto| file.package() == OWN || beside.contains(&file.package());
    let of_file = |file: &FileDescriptorProto| -> Vec<String> {
        let names = file.service.iter().map(|service| service.name());
        names.map(|name| format!("{}.{name}", file.package())).collect()
    };
    let names = files.file.iter().filter(served).flat_map(of_file);
    let names: Vec<String> = names
        .chain([HEALTH, VERSIONS[0], VERSIONS[1]].map(str::to_owned))
        .collect();
    let wanted = files
        .file
        .iter()
        .filter(served)
        .map(|file| file.name().to_owned());
    let described = with_imports(&files, wanted.collect());
    let builder = || {
        let builder = Builder::configure()
            .register_file_descriptor_set(described.clone())
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(v1alpha::FILE_DESCRIPTOR_SET);
        names.iter().fold(builder, Builder::with_service_name)
    };
    let good = "descriptors that were compiled";
    let callers = callers.clone();
    routes.add_service(SignedIn {
        inner: builder().build_v1().expect(good),
        callers: callers.clone(),
    });
    routes.add_service(SignedIn {
        inner: builder().build_v1alpha().expect(good),
        callers,
    });
}

/// The files of these names with all that they import.
fn with_imports(files: &FileDescriptorSet, mut wanted: Vec<String>) -> FileDescriptorSet {
    let mut taken: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if taken.contains_key(&name) {
            continue;
        }
        if let Some(file) = files.file.iter().find(|file| file.name() == name) {
            wanted.extend(file.dependency.iter().cloned());
            taken.insert(name, file.clone());
        }
    }
    FileDescriptorSet {
        file: taken.into_values().collect(),
    }
}

/// A service for callers who may ask how the zone is, and for as long as their session lasts.
#[derive(Clone)]
struct SignedIn<S> {
    callers: Callers,
    inner: S,
}

impl<S: NamedService> NamedService for SignedIn<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for SignedIn<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (callers, mut inner) = (self.callers.clone(), self.inner.clone());
        Box::pin(async move {
            let metadata = MetadataMap::from_headers(request.headers().clone());
            let permit = callers.permit::<zone::Status>(&metadata, request.extensions());
            let lasting = match permit.await {
                Ok(permit) => permit.lasting(),
                Err(refused) => return Ok(refused.into_http()),
            };
            let answer = inner.call(request).await?;
            let access = callers.access().clone();
            let ended = async move { access.until_ended(&lasting).await };
            Ok(answer.map(|body| {
                let ended = Some(ended.boxed());
                Body::new(UntilEnded { body, ended })
            }))
        })
    }
}

/// An answer that ends with the session of its caller, if it has not ended before.
struct UntilEnded {
    body: Body,
    /// Resolves with the session; taken when it has.
    ended: Option<BoxFuture<'static, ()>>,
}

impl http_body::Body for UntilEnded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(ended) = &mut self.ended else {
            return Poll::Ready(None);
        };
        if ended.poll_unpin(cx).is_pending() {
            return Pin::new(&mut self.body).poll_frame(cx);
        }
        self.ended = None;
        let status = caller::fault::access(access::Error::SessionEnded);
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(
            status
                .add_header(&mut trailers)
                .map(|()| Frame::trailers(trailers)),
        ))
    }
}
