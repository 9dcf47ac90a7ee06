//! A server of the gRPC document's HelloService: the four kinds of calls.

use futures::StreamExt as _;
use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving};
use tasks::Tasks;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream, service::Routes};
use wire::hello::{
    HelloRequest, HelloResponse,
    hello_service_server::{HelloService, HelloServiceServer},
};

/// Says hello.
pub(crate) struct Hello;

fn hello(name: &str) -> HelloResponse {
    let reply = format!("Hello,{name}!");
    HelloResponse { reply }
}

#[tonic::async_trait]
impl HelloService for Hello {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        Ok(Response::new(hello(&request.into_inner().greeting)))
    }

    async fn lots_of_replies(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let name = request.into_inner().greeting;
        let replies = futures::stream::iter(1..=3).map(move |number| Ok(hello(&format!("{name} {number}"))));
        Ok(Response::new(replies.boxed()))
    }

    async fn lots_of_greetings(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<HelloResponse>, Status> {
        let mut greetings = request.into_inner();
        let mut names = Vec::new();
        // `None` is the end that the caller has sent. An upload that was torn is an error, and goes out by the `?`.
        while let Some(greeting) = greetings.message().await? {
            names.push(greeting.greeting);
        }
        Ok(Response::new(hello(&names.join(","))))
    }

    async fn bidi_hello(
        &self,
        request: Request<Streaming<HelloRequest>>,
    ) -> Result<Response<BoxStream<HelloResponse>>, Status> {
        let replies = request
            .into_inner()
            .map(|greeting| Ok(hello(&greeting?.greeting)));
        Ok(Response::new(replies.boxed()))
    }
}

/// Serves until the handle is told to stop, or `tasks` is.
pub(crate) async fn serve(
    service: impl HelloService,
    address: ListenAddress,
    tasks: &Tasks,
) -> Result<Serving, rpc::Error> {
    let listener = Listener::bind(address, Security::Plain).await?;
    let routes = Routes::new(HelloServiceServer::new(service));
    let calls = Calls::new(routes, CallLimits::default());
    Ok(rpc::serve(listener, calls, tasks, Limits::default()))
}
