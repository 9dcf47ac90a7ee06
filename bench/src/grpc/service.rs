//! The service that our servers serve: gRPC's own test service, as much of it as the loads call.

use bytes::Bytes;
use caller::Callers;
use futures::StreamExt as _;
use tonic::{Extensions, Request, Response, Status, Streaming, codegen::BoxStream, metadata::MetadataMap};
use wire::grpc::testing::{
    Empty, Payload, StreamingOutputCallRequest, StreamingOutputCallResponse, test_service_server::TestService,
};

/// The longest payload that is answered.
const LONGEST: usize = 4 * 1024 * 1024;

/// Answers with zeros, after the caller was looked at where that is asked for.
#[derive(Clone)]
pub(crate) struct Echo {
    callers: Option<Callers>,
    zeros: Bytes,
}

impl Echo {
    /// Asks `callers` about each call.
    pub(crate) fn new(callers: Option<Callers>) -> Self {
        let zeros = vec![0; LONGEST].into();
        Self { callers, zeros }
    }

    async fn admit(&self, metadata: &MetadataMap, extensions: &Extensions) -> Result<(), Status> {
        if let Some(callers) = &self.callers {
            let permit = callers.permit::<access::session::WhoAmI>(metadata, extensions);
            permit.await?;
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl TestService for Echo {
    async fn empty_call(&self, request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.admit(request.metadata(), request.extensions()).await?;
        Ok(Response::new(Empty {}))
    }

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<BoxStream<StreamingOutputCallResponse>>, Status> {
        let (metadata, extensions, requests) = request.into_parts();
        self.admit(&metadata, &extensions).await?;
        let zeros = self.zeros.clone();
        let answers = requests.map(move |request| {
            let asked = request?.response_parameters.first().map_or(0, |asked| asked.size);
            let size = usize::try_from(asked).unwrap_or(0).min(LONGEST);
            let body = zeros.slice(..size);
            let payload = Some(Payload { r#type: 0, body });
            Ok(StreamingOutputCallResponse { payload })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
