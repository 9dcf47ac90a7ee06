//! A client of the HelloService: the four kinds of calls over one connection.

use std::error::Error;

use futures::{StreamExt as _, stream};
use rpc::{Channel, ChannelArgs, ChannelCredentials, Target};
use wire::hello::{HelloRequest, hello_service_client::HelloServiceClient};

fn greeting(name: &str) -> HelloRequest {
    let greeting = name.to_owned();
    HelloRequest { greeting }
}

/// Makes the four kinds of calls, and gives every reply.
pub(crate) async fn greet(server: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let target: Target = server.parse()?;
    // Nothing connects yet: the first call does.
    let channel = Channel::new(&target, &ChannelCredentials::insecure(), ChannelArgs::new())?;
    let mut client = HelloServiceClient::new(channel.clone());
    let mut replies = Vec::new();

    let reply = client.say_hello(greeting("Ada")).await?;
    replies.push(reply.into_inner().reply);

    let mut stream = client.lots_of_replies(greeting("Ben")).await?.into_inner();
    while let Some(reply) = stream.message().await? {
        replies.push(reply.reply);
    }

    let names = stream::iter(["Cy", "Dee"]).map(greeting);
    let reply = client.lots_of_greetings(names).await?;
    replies.push(reply.into_inner().reply);

    let names = stream::iter(["Eve", "Flo"]).map(greeting);
    let mut stream = client.bidi_hello(names).await?.into_inner();
    while let Some(reply) = stream.message().await? {
        replies.push(reply.reply);
    }

    // Calls that run have a second to end; then the connection is closed.
    channel.close(std::time::Duration::from_secs(1)).await;
    Ok(replies)
}
