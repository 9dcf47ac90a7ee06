//! Deadlines: said by the caller, known to the handler, kept on both sides.

use std::{error::Error, time::Duration};

use rpc::{CallOptions, Channel, ChannelArgs, ChannelCredentials, Deadline, Target};
use tasks::Clock;
use tonic::{Code, Request, Response, Status};
use wire::hello::{
    HelloRequest, HelloResponse, hello_service_client::HelloServiceClient, hello_service_server::HelloService,
};

/// Does what there is time for.
pub(crate) struct Careful;

#[tonic::async_trait]
impl HelloService for Careful {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let left = request.extensions().get().map(Deadline::time_remaining);
        let name = request.into_inner().greeting;
        if name.is_empty() {
            // This handler never ends by itself. It is dropped here when its deadline passes.
            std::future::pending::<()>().await;
        }
        let reply = match left {
            Some(left) if left < Duration::from_secs(10) => format!("Hello,{name}!"),
            Some(_) | None => format!("Hello,{name}! How are you?"),
        };
        Ok(Response::new(HelloResponse { reply }))
    }
}

/// Asks with the channel's time, with less, and with too little.
pub(crate) async fn ask(server: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let target: Target = server.parse()?;
    // For every call that says nothing itself.
    let args = ChannelArgs::new().with_deadline(Duration::from_secs(60));
    let channel = Channel::new(&target, &ChannelCredentials::insecure(), args)?;
    let mut client = HelloServiceClient::new(channel);
    let greeting = |name: &str| {
        let greeting = name.to_owned();
        HelloRequest { greeting }
    };

    let long = client.say_hello(greeting("Ada")).await?;

    let short = client
        .say_hello(rpc::within(greeting("Ben"), Duration::from_secs(9)))
        .await?;

    // A point in time instead of a length of time: whatever was waited for before counts.
    let mut request = Request::new(greeting(""));
    request.extensions_mut().insert(CallOptions {
        deadline: Some(Clock::system().monotonic() + Duration::from_millis(100)),
        ..CallOptions::default()
    });
    let late = client.say_hello(request).await;
    assert!(late.is_err_and(|status| status.code() == Code::DeadlineExceeded));

    Ok(vec![long.into_inner().reply, short.into_inner().reply])
}
