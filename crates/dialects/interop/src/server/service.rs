//! `grpc.testing.TestService`: answers as the official description of the interop server says.
//!
//! What it leaves to others: `CacheableUnaryCall` and `UnimplementedMethod`, which nobody has built on purpose, load
//! reports, and what each payload is (`payload`).

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use model::ErrorKind;
use prost::Message as _;
use rpc::{AuthContext, Call, SecurityLevel};
use tasks::Clock;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};
use uuid::Uuid;
use wire::grpc::testing::{
    Empty, ResponseParameters, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_server::TestService,
};

use super::payload::{call, compression, echo, payload, status};
use crate::{Account, account::Claims};

/// The most requests that are kept until the last has come.
const MOST_KEPT: usize = 1000;
/// The most bytes of them, without their payloads.
const MOST_BYTES: usize = 64 * 1024;

/// What follows the host in the audience of a token that is meant for this service, or for all of the host's.
const AUDIENCES: [&str; 2] = ["grpc.testing.TestService", ""];

type Outputs = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;

/// The service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    account: Option<Account>,
    clock: Clock,
    /// Tells this server from every other.
    id: Arc<str>,
}

impl Service {
    pub(super) fn new(account: Option<Account>, clock: Clock) -> Self {
        let id = format!("soke-{}", Uuid::new_v4().simple()).into();
        Self { account, clock, id }
    }

    /// What the caller's token says; nothing without one. A token that came over plaintext is not believed.
    fn caller<T>(&self, request: &Request<T>) -> Result<Option<Claims>, Status> {
        let refused = |text: &str| wire::status(ErrorKind::Unauthenticated, text);
        let bearer = rpc::bearer(request.metadata()).map_err(|fault| refused(&fault.to_string()))?;
        let Some(bearer) = bearer else { return Ok(None) };
        let security = AuthContext::of(request.extensions()).map(|context| context.security());
        if security != Some(SecurityLevel::Private) {
            return Err(refused(
                "a token that came without TLS is not believed: others may have it",
            ));
        }
        let Some(account) = &self.account else {
            return Err(refused(
                "this server believes no tokens: it was given no --service_account_key_file",
            ));
        };
        let claims = account
            .verify(bearer.expose(), self.clock.now())
            .map_err(refused)?;
        let meant = match &claims.aud {
            Some(audience) => audience.strip_prefix("https://").is_some_and(|named| {
                let (_host, path) = named.split_once('/').unwrap_or((named, ""));
                AUDIENCES.contains(&path)
            }),
            None => claims.scope.is_some(),
        };
        if meant {
            Ok(Some(claims))
        } else {
            Err(refused("the token is not meant for this service"))
        }
    }

    fn answer(&self, asked: &SimpleRequest, caller: Option<Claims>) -> Result<SimpleResponse, Status> {
        let mut answer = SimpleResponse {
            payload: Some(payload(asked.response_type, asked.response_size)?),
            ..SimpleResponse::default()
        };
        if let Some(caller) = caller {
            if asked.fill_username {
                answer.username = caller.sub;
            }
            if asked.fill_oauth_scope {
                answer.oauth_scope = caller.scope.unwrap_or_default();
            }
        }
        if asked.fill_server_id {
            answer.server_id = self.id.to_string();
        }
        Ok(answer)
    }
}

/// A response with the metadata that goes before it.
fn with<T>(message: T, metadata: MetadataMap) -> Response<T> {
    Response::from_parts(metadata, message, http::Extensions::new())
}

/// One message for each of the parameters, in their order, each after its pause.
fn outputs(call: Call, kind: i32, wanted: Vec<ResponseParameters>) -> Outputs {
    Box::pin(stream::iter(wanted).then(move |one| {
        let call = call.clone();
        async move {
            if let Ok(pause @ 1..) = u64::try_from(one.interval_us) {
                tokio::time::sleep(Duration::from_micros(pause)).await;
            }
            let payload = payload(kind, one.size)?;
            call.compress_next(one.compressed.is_some_and(|wanted| wanted.value));
            Ok(StreamingOutputCallResponse {
                payload: Some(payload),
            })
        }
    }))
}

/// What one request of a stream gets.
fn answers(call: &Call, request: Result<StreamingOutputCallRequest, Status>) -> Outputs {
    let asked = request.and_then(|mut asked| {
        status(asked.response_status.take())?;
        Ok(asked)
    });
    match asked {
        Ok(asked) => outputs(call.clone(), asked.response_type, asked.response_parameters),
        Err(status) => Box::pin(stream::iter([Err(status)])),
    }
}

#[tonic::async_trait]
impl TestService for Service {
    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        let initial = echo(request.metadata(), &call(&request)?);
        Ok(with(Empty {}, initial))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let call = call(&request)?;
        let initial = echo(request.metadata(), &call);
        let caller = self.caller(&request)?;
        let mut asked = request.into_inner();
        compression(&call, asked.expect_compressed)?;
        status(asked.response_status.take())?;
        if let Some(wanted) = asked.response_compressed {
            call.compress(wanted.value);
        }
        Ok(with(self.answer(&asked, caller)?, initial))
    }

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Outputs>, Status> {
        let call = call(&request)?;
        let initial = echo(request.metadata(), &call);
        call.compress(false);
        Ok(with(answers(&call, Ok(request.into_inner())), initial))
    }

    /// Sums the payloads up. An upload that breaks off is an error and no sum.
    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let call = call(&request)?;
        let initial = echo(request.metadata(), &call);
        let mut messages = request.into_inner();
        let mut sum = 0_usize;
        while let Some(message) = messages.message().await? {
            compression(&call, message.expect_compressed)?;
            sum = sum.saturating_add(message.payload.map_or(0, |payload| payload.body.len()));
        }
        let aggregated_payload_size = i32::try_from(sum).map_err(|_too_much| {
            wire::status(
                ErrorKind::Exhausted,
                "the payloads are more bytes than the answer can count",
            )
        })?;
        let answer = StreamingInputCallResponse {
            aggregated_payload_size,
        };
        Ok(with(answer, initial))
    }

    /// Answers each request before it reads the next.
    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Outputs>, Status> {
        let call = call(&request)?;
        let initial = echo(request.metadata(), &call);
        call.compress(false);
        let answers = request
            .into_inner()
            .flat_map(move |request| answers(&call, request));
        Ok(with(Box::pin(answers), initial))
    }

    /// Reads all requests before it answers the first.
    async fn half_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Outputs>, Status> {
        let call = call(&request)?;
        let initial = echo(request.metadata(), &call);
        call.compress(false);
        let mut requests = request.into_inner();
        let (mut kept, mut bytes) = (Vec::new(), 0);
        while let Some(mut request) = requests.message().await? {
            request.payload = None;
            bytes += request.encoded_len();
            if kept.len() == MOST_KEPT || bytes > MOST_BYTES {
                let text = format!(
                    "more than {MOST_KEPT} requests, or {MOST_BYTES} bytes of them, before the first answer"
                );
                return Err(wire::status(ErrorKind::Exhausted, text));
            }
            kept.push(request);
        }
        let answers = stream::iter(kept).flat_map(move |request| answers(&call, Ok(request)));
        Ok(with(Box::pin(answers), initial))
    }
}
