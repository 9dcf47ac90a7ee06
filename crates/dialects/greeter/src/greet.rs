//! The two services of the gRPC document.
//!
//! What it leaves to others: the length of a message and the deadline of a call (`rpc`). The document prints the
//! Greeter's answer, `Hello,` and the name and `!`, without a space; it shows only the form of `HelloService`, whose
//! answers are of the same make here.

use std::pin::Pin;

use futures::{Stream, StreamExt as _, stream};
use model::ErrorKind;
use tonic::{Request, Response, Status, Streaming};
use wire::{
    hello::{self, hello_service_server::HelloService},
    helloworld::{self, greeter_server::Greeter},
};

/// How many answers a greeting gets from `LotsOfReplies`.
const REPLIES: usize = 3;
/// The most greetings that one answer to `LotsOfGreetings` holds.
const MOST_GREETINGS: usize = 1000;
/// The most bytes of them.
const MOST_BYTES: usize = 64 * 1024;

/// Greets whoever asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greet;

type Replies = Pin<Box<dyn Stream<Item = Result<hello::HelloResponse, Status>> + Send>>;

fn hello(name: &str) -> String {
    format!("Hello,{name}!")
}

fn reply(greeting: &str) -> hello::HelloResponse {
    hello::HelloResponse {
        reply: hello(greeting),
    }
}

#[tonic::async_trait]
impl Greeter for Greet {
    async fn say_hello(
        &self,
        request: Request<helloworld::HelloRequest>,
    ) -> Result<Response<helloworld::HelloResponse>, Status> {
        let message = hello(&request.get_ref().name);
        Ok(Response::new(helloworld::HelloResponse { message }))
    }
}

#[tonic::async_trait]
impl HelloService for Greet {
    async fn say_hello(
        &self,
        request: Request<hello::HelloRequest>,
    ) -> Result<Response<hello::HelloResponse>, Status> {
        Ok(Response::new(reply(&request.get_ref().greeting)))
    }

    /// Answers three times, and numbers the answers so that their order shows.
    async fn lots_of_replies(
        &self,
        request: Request<hello::HelloRequest>,
    ) -> Result<Response<Replies>, Status> {
        let said = hello(&request.get_ref().greeting);
        let replies = stream::iter(1..=REPLIES).map(move |number| {
            let reply = format!("{said} {number}");
            Ok(hello::HelloResponse { reply })
        });
        Ok(Response::new(Box::pin(replies)))
    }

    /// Answers all of them at once, in the order in which they came.
    async fn lots_of_greetings(
        &self,
        request: Request<Streaming<hello::HelloRequest>>,
    ) -> Result<Response<hello::HelloResponse>, Status> {
        let mut greetings = request.into_inner();
        let (mut all, mut bytes) = (Vec::new(), 0);
        while let Some(message) = greetings.message().await? {
            bytes += message.greeting.len();
            all.push(message.greeting);
            if all.len() > MOST_GREETINGS || bytes > MOST_BYTES {
                let text = format!("more than {MOST_GREETINGS} greetings, or {MOST_BYTES} bytes of them");
                return Err(wire::status(ErrorKind::Exhausted, text));
            }
        }
        Ok(Response::new(reply(&all.join(","))))
    }

    /// Answers each as it comes.
    async fn bidi_hello(
        &self,
        request: Request<Streaming<hello::HelloRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let greetings = request.into_inner();
        let replies = greetings.map(|message| Ok(reply(&message?.greeting)));
        Ok(Response::new(Box::pin(replies)))
    }
}
