//! Credentials: TLS and an access token as one, as in the gRPC document, and a credential of one's own.

use std::sync::Arc;

use rpc::{
    AccessToken, CallContext, CallCredentials, CallOptions, Channel, ChannelArgs, ChannelCredentials, Target,
    Trust,
};
use tonic::{Request, Status, metadata::MetadataMap};
use wire::hello::{HelloRequest, hello_service_client::HelloServiceClient};

/// The name that the server's certificate bears, and the only host that gets the token.
const HOST: &str = "soke.localhost";

/// A channel over TLS that sends an access token along with every call.
pub(crate) fn channel(server: &str, authority_pem: String, token: &str) -> Result<Channel, rpc::Error> {
    let target: Target = server.parse()?;
    let tls = ChannelCredentials::tls(Trust::Authority { pem: authority_pem });
    let token = AccessToken::new(token, &[HOST]);
    Channel::new(
        &target.with_server_name(HOST)?,
        &tls.with(token),
        ChannelArgs::new(),
    )
}

/// What proves a caller in a way of its own. It is asked for every call, and may wait for others.
#[derive(Debug)]
pub(crate) struct Stamp;

#[tonic::async_trait]
impl CallCredentials for Stamp {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        let stamp = call.method.parse();
        let stamp = stamp.map_err(|_fault| Status::internal("the method has a name that no header takes"))?;
        let mut metadata = MetadataMap::new();
        metadata.insert("x-stamped-for", stamp);
        Ok(metadata)
    }
}

/// Calls with the channel's token and, for this call alone, a stamp.
pub(crate) async fn greet(channel: Channel) -> Result<String, Status> {
    let greeting = "Ada".to_owned();
    let mut request = Request::new(HelloRequest { greeting });
    request.extensions_mut().insert(CallOptions {
        credentials: Some(Arc::new(Stamp)),
        ..CallOptions::default()
    });
    let reply = HelloServiceClient::new(channel).say_hello(request).await?;
    Ok(reply.into_inner().reply)
}
