//! The same service and the same generated code in JSON, for whoever has no protobuf.

use std::error::Error;

use rpc::{CallLimits, Calls, Channel, ChannelArgs, ChannelCredentials, Json, Target};
use tonic::service::Routes;
use wire::hello::{
    HelloRequest,
    hello_service_client::HelloServiceClient,
    hello_service_server::{HelloService, HelloServiceServer},
};

/// A service that is called in protobuf and, with the content type `application/grpc+json`, in JSON.
pub(crate) fn in_both(service: impl HelloService) -> Result<Calls, rpc::Error> {
    let calls = Calls::new(
        Routes::new(HelloServiceServer::new(service)),
        CallLimits::default(),
    );
    Ok(calls.with_json(Json::new(wire::DESCRIPTORS)?))
}

/// Calls it in JSON: what goes out is `{"greeting":"Ada"}`.
pub(crate) async fn greet(server: &str) -> Result<String, Box<dyn Error>> {
    let target: Target = server.parse()?;
    let channel = Channel::new(&target, &ChannelCredentials::insecure(), ChannelArgs::new())?;
    let json = Json::new(wire::DESCRIPTORS)?;
    let mut client = HelloServiceClient::new(json.over(channel));
    let greeting = "Ada".to_owned();
    let reply = client.say_hello(HelloRequest { greeting }).await?;
    Ok(reply.into_inner().reply)
}
