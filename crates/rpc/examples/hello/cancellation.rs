//! Cancelling: whoever waits is told at once, the handler goes, and what it has done stays done.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt as _;
use rpc::{Call, CallOptions, Cancel, Channel, ChannelArgs, ChannelCredentials, End, Target};
use tasks::{Policy, Tasks};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};
use wire::hello::{
    HelloRequest, HelloResponse, hello_service_client::HelloServiceClient, hello_service_server::HelloService,
};

/// A list that threads share.
pub(crate) type List<T> = Arc<Mutex<Vec<T>>>;

/// Writes down every guest who comes.
pub(crate) struct GuestBook {
    pub(crate) guests: List<String>,
    pub(crate) ends: List<End>,
    pub(crate) tasks: Tasks,
}

fn add<T>(list: &List<T>, item: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}

#[tonic::async_trait]
impl HelloService for GuestBook {
    async fn bidi_hello(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        // Work elsewhere is not dropped with the handler. It takes the call along and hears how that ends.
        if let Some(call) = Call::of(request.extensions()).cloned() {
            let ends = Arc::clone(&self.ends);
            self.tasks.spawn("waits for the end", Policy::MayEnd, async move {
                add(&ends, call.ended().await);
            });
        }
        let guests = Arc::clone(&self.guests);
        let replies = request.into_inner().map(move |greeting| {
            let name = greeting?.greeting;
            // Done is done: a call that is cancelled after this leaves the name in the book.
            add(&guests, name.clone());
            let reply = format!("Hello,{name}!");
            Ok(HelloResponse { reply })
        });
        Ok(Response::new(replies.boxed()))
    }
}

/// Enters one name and cancels the call instead of ending it.
pub(crate) async fn leave(server: &str) -> Result<Code, Box<dyn Error>> {
    let target: Target = server.parse()?;
    let channel = Channel::new(&target, &ChannelCredentials::insecure(), ChannelArgs::new())?;
    let (names, sent) = mpsc::channel(1);
    let cancel = Cancel::new();
    let mut request = Request::new(ReceiverStream::new(sent));
    request.extensions_mut().insert(CallOptions {
        cancel: Some(cancel.clone()),
        ..CallOptions::default()
    });
    let mut replies = HelloServiceClient::new(channel)
        .bidi_hello(request)
        .await?
        .into_inner();
    let greeting = "Ada".to_owned();
    names.send(HelloRequest { greeting }).await?;
    replies.message().await?;

    // From anywhere: clones of it are one. Dropping `replies` ends the call as well, without a word to anybody here.
    cancel.cancel();
    match replies.message().await {
        Ok(_) => Ok(Code::Ok),
        Err(status) => Ok(status.code()),
    }
}
