//! The examples of docs/grpc.md: each does what the page says, and the page shows its text.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use rpc::{CallLimits, Calls, End, Limits, ListenAddress, Listener, Serving};
use tasks::Tasks;
use tonic::{Code, Request, Response, Status, metadata::MetadataMap, service::Routes};
use wire::hello::{
    HelloRequest, HelloResponse,
    hello_service_server::{HelloService, HelloServiceServer},
};

use crate::{
    hello::{
        blocking_client,
        cancellation::{self, GuestBook, List},
        client, credentials,
        deadlines::{self, Careful},
        server::{self, Hello},
    },
    support::{Authority, SOON, eventually},
};

/// What the two clients are told.
const REPLIES: [&str; 7] = [
    "Hello,Ada!",
    "Hello,Ben 1!",
    "Hello,Ben 2!",
    "Hello,Ben 3!",
    "Hello,Cy,Dee!",
    "Hello,Eve!",
    "Hello,Flo!",
];

async fn plain(service: impl HelloService, tasks: &Tasks) -> Serving {
    server::serve(service, ListenAddress::loopback(0), tasks)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_server_and_both_clients_of_the_page_say_the_same() {
    let tasks = Tasks::new();
    let serving = plain(Hello, &tasks).await;
    let address = serving.address().to_string();
    assert_eq!(client::greet(&address).await.unwrap(), REPLIES);
    let blocking = tasks.blocking("blocking client", move || {
        blocking_client::greet(&address).map_err(|fault| fault.to_string())
    });
    assert_eq!(blocking.await.unwrap().unwrap(), REPLIES);
    assert!(serving.stop(SOON).await.late.is_empty());
}

/// Answers, and keeps what came along.
struct Keeps(Arc<Mutex<Vec<MetadataMap>>>);

#[tonic::async_trait]
impl HelloService for Keeps {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        self.0.lock().unwrap().push(request.metadata().clone());
        let reply = request.into_inner().greeting;
        Ok(Response::new(HelloResponse { reply }))
    }
}

#[tokio::test]
async fn the_page_s_composite_sends_the_token_over_tls_and_never_without() {
    let (tasks, seen, authority) = (Tasks::new(), Arc::default(), Authority::new());
    let listener = Listener::bind(ListenAddress::loopback(0), authority.tls()).await;
    let routes = Routes::new(HelloServiceServer::new(Keeps(Arc::clone(&seen))));
    let calls = Calls::new(routes, CallLimits::default());
    let serving = rpc::serve(listener.unwrap(), calls, &tasks, Limits::default());
    let address = serving.address().to_string();
    let channel = credentials::channel(&address, authority.pem(), "canary-token").unwrap();
    assert_eq!(credentials::greet(channel).await.unwrap(), "Ada");
    let seen = seen.lock().unwrap().clone();
    let [metadata] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer canary-token");
    assert_eq!(metadata.get("x-stamped-for").unwrap(), "SayHello");
    // Another authority than the one that the server's certificate comes from.
    let wrong = credentials::channel(&address, Authority::new().pem(), "canary-token").unwrap();
    let refused = credentials::greet(wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn the_page_s_deadlines_are_told_and_kept() {
    let tasks = Tasks::new();
    let serving = plain(Careful, &tasks).await;
    let replies = deadlines::ask(&serving.address().to_string()).await.unwrap();
    assert_eq!(replies, ["Hello,Ada! How are you?", "Hello,Ben!"]);
}

#[tokio::test]
async fn cancelling_undoes_nothing_already_done() {
    let tasks = Tasks::new();
    let (guests, ends) = (List::<String>::default(), List::<End>::default());
    let book = GuestBook {
        guests: Arc::clone(&guests),
        ends: Arc::clone(&ends),
        tasks: tasks.clone(),
    };
    let serving = plain(book, &tasks).await;
    let code = cancellation::leave(&serving.address().to_string()).await.unwrap();
    assert_eq!(code, Code::Cancelled);
    eventually("the call's end is known", || !ends.lock().unwrap().is_empty()).await;
    assert_eq!(*ends.lock().unwrap(), [End::Cancelled]);
    assert_eq!(*guests.lock().unwrap(), ["Ada"], "what was done before stays");
}

/// The fenced blocks of Rust on the page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match (line, &mut open) {
            ("```rust", None) => open = Some(String::new()),
            ("```", Some(_)) => blocks.extend(open.take()),
            (line, Some(text)) => {
                text.push_str(line);
                text.push('\n');
            }
            (_, None) => {}
        }
    }
    blocks
}

#[test]
fn the_page_on_grpc_shows_exactly_the_text_of_every_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../../docs/grpc.md")).unwrap();
    let mut shown = blocks(&page);
    for entry in fs::read_dir(root.join("examples/hello")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "main.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let (_about, text) = text.split_once("\n\n").expect("a header and a text");
        let place = shown.iter().position(|block| block == text);
        let place = place.unwrap_or_else(|| panic!("docs/grpc.md does not show {name} as it is:\n{text}"));
        shown.remove(place);
    }
    assert!(shown.is_empty(), "no file has this text: {}", shown[0]);
}
