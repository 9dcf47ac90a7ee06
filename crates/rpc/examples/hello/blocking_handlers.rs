//! The HelloService with handlers in plain blocking code, each on a thread for such work.

use rpc::Workers;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};
use wire::hello::{HelloRequest, HelloResponse, hello_service_server::HelloService};

/// Says hello, on threads of its own. `Workers::new(&tasks, 8, 100)` lets 8 handlers run at a time and 100 calls wait.
pub(crate) struct Blocking(pub(crate) Workers);

fn hello(name: &str) -> HelloResponse {
    let reply = format!("Hello,{name}!");
    HelloResponse { reply }
}

#[tonic::async_trait]
impl HelloService for Blocking {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let handler =
            |request: Request<HelloRequest>| Ok(Response::new(hello(&request.into_inner().greeting)));
        self.0.unary(request, handler).await
    }

    async fn lots_of_replies(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let answered = self.0.server_streaming(request, |request, replies| {
            let name = request.into_inner().greeting;
            for number in 1..=3 {
                // Waits where the caller is slow, and fails once nobody waits any more.
                replies.send(hello(&format!("{name} {number}")))?;
            }
            Ok(())
        });
        answered.await
    }

    async fn lots_of_greetings(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloResponse>, Status> {
        let answered = self.0.client_streaming(request, |request| {
            let names = request.into_inner().map(|greeting| Ok(greeting?.greeting));
            let names: Vec<String> = names.collect::<Result<_, Status>>()?;
            Ok(Response::new(hello(&names.join(","))))
        });
        answered.await
    }

    async fn bidi_hello(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let answered = self.0.bidirectional(request, |request, replies| {
            for greeting in request.into_inner() {
                replies.send(hello(&greeting?.greeting))?;
            }
            Ok(())
        });
        answered.await
    }
}
