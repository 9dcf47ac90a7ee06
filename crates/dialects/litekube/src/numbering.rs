//! The two numberings of LiteKube's messages, which differ in the answer of GetToken.
//!
//! The later one is the one in `proto/`; its clients exist. The earlier one is that of the interface document of April
//! 2022, and stands here, since no description of it is worth a package of its own. What it leaves to others: what is
//! in the answer (`desk`).

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tonic::{
    Request, Status,
    body::Body,
    server::{Grpc, NamedService, UnaryService},
};
use tonic_prost::ProstCodec;
use tower_service::Service;
use wire::pb;

use crate::desk::Desk;

/// How the fields of the messages are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbering {
    /// As LiteKube's clients of May 2022 and later have it.
    #[default]
    Later,
    /// As the interface document of April 2022 has it.
    April2022,
}

/// The answer of GetToken in the numbering of April 2022. It has no addresses.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct GetTokenResponse {
    #[prost(string, tag = "1")]
    pub(crate) code: String,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(string, tag = "3")]
    pub(crate) token: String,
    #[prost(string, tag = "4")]
    pub(crate) grpc_ca_cert: String,
    #[prost(string, tag = "5")]
    pub(crate) grpc_client_key: String,
    #[prost(string, tag = "6")]
    pub(crate) grpc_client_cert: String,
    #[prost(string, tag = "7")]
    pub(crate) network_ca_cert: String,
    #[prost(string, tag = "8")]
    pub(crate) network_client_key: String,
    #[prost(string, tag = "9")]
    pub(crate) network_client_cert: String,
}

impl fmt::Debug for GetTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pb.GetTokenResponse")
    }
}

impl From<pb::GetTokenResponse> for GetTokenResponse {
    fn from(later: pb::GetTokenResponse) -> Self {
        Self {
            code: later.code,
            message: later.message,
            token: later.token,
            grpc_ca_cert: later.grpc_ca_cert,
            grpc_client_key: later.grpc_client_key,
            grpc_client_cert: later.grpc_client_cert,
            network_ca_cert: later.network_ca_cert,
            network_client_key: later.network_client_key,
            network_client_cert: later.network_client_cert,
        }
    }
}

/// A service that answers GetToken in the numbering of April 2022, and every other call as it is.
#[derive(Clone)]
pub(crate) struct Older<S> {
    service: S,
    desk: Arc<Desk>,
}

impl<S> Older<S> {
    pub(crate) fn new(service: S, desk: &Arc<Desk>) -> Self {
        let desk = Arc::clone(desk);
        Self { service, desk }
    }
}

impl<S: NamedService> NamedService for Older<S> {
    const NAME: &'static str = S::NAME;
}

type Answer = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

impl<S> Service<http::Request<Body>> for Older<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future = Answer>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        if !request.uri().path().ends_with("/GetToken") {
            return self.service.call(request);
        }
        let register = Register(Arc::clone(&self.desk));
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.unary(register, request).await)
        })
    }
}

struct Register(Arc<Desk>);

impl UnaryService<pb::GetTokenRequest> for Register {
    type Response = GetTokenResponse;
    type Future = BoxFuture<'static, Result<tonic::Response<GetTokenResponse>, Status>>;

    fn call(&mut self, request: Request<pb::GetTokenRequest>) -> Self::Future {
        let desk = Arc::clone(&self.0);
        Box::pin(async move { Ok(desk.register(request).await?.map(GetTokenResponse::from)) })
    }
}
