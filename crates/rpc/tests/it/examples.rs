//! The examples of docs/grpc.md: each does what the page says, and the page shows its text.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rpc::{
    CallLimits, Channel, ChannelArgs, ChannelCredentials, End, Limits, ListenAddress, Security, Serving,
    Target, Workers,
};
use tasks::Tasks;
use tonic::{Code, Request, Response, Status};
use wire::hello::{
    HelloRequest, HelloResponse, hello_service_client::HelloServiceClient, hello_service_server::HelloService,
};

use crate::{
    hello::{
        authenticator::{Doorkeeper, guarded},
        blocking_client,
        blocking_handlers::Blocking,
        cancellation::{self, GuestBook, List},
        client, credentials,
        deadlines::{self, Careful},
        json,
        server::{self, Hello},
        stand,
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

#[tokio::test]
async fn the_page_s_blocking_handlers_answer_as_the_others_do() {
    let tasks = Tasks::new();
    let serving = plain(Blocking(Workers::new(&tasks, 1, 4)), &tasks).await;
    assert_eq!(
        client::greet(&serving.address().to_string()).await.unwrap(),
        REPLIES
    );
}

#[tokio::test]
async fn the_page_s_json_is_answered_beside_protobuf() {
    let tasks = Tasks::new();
    let calls = json::in_both(Hello).unwrap();
    let serving = stand("0", Security::Plain, calls, &tasks).await.unwrap();
    let address = serving.address().to_string();
    assert_eq!(json::greet(&address).await.unwrap(), "Hello,Ada!");
    assert_eq!(client::greet(&address).await.unwrap(), REPLIES);
}

#[tokio::test]
async fn the_page_s_composite_proves_a_caller_over_tls_to_the_page_s_doorkeeper() {
    let (tasks, authority) = (Tasks::new(), Authority::new());
    let calls = guarded(Doorkeeper::new("canary-token", "Ada"));
    let serving = stand("0", authority.tls(), calls, &tasks).await.unwrap();
    let address = serving.address().to_string();
    let greet = async |authority: &Authority, token: &str| {
        let channel = credentials::channel(&address, authority.pem(), token).unwrap();
        credentials::greet(channel).await.map_err(|status| status.code())
    };
    assert_eq!(
        greet(&authority, "canary-token").await.as_deref(),
        Ok("Hello,Ada!")
    );
    assert_eq!(greet(&authority, "another").await, Err(Code::Unauthenticated));
    // Whoever is not the server that was meant gets no token.
    assert_eq!(
        greet(&Authority::new(), "canary-token").await,
        Err(Code::Unavailable)
    );
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

/// Says hello when it is asked for the third time, and before that it is not there.
struct Late(AtomicU32);

#[tonic::async_trait]
impl HelloService for Late {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let times = self.0.fetch_add(1, Ordering::Relaxed);
        let reply = request.into_inner().greeting;
        match times {
            0 | 1 => Err(Status::unavailable("come again")),
            _ => Ok(Response::new(HelloResponse { reply })),
        }
    }
}

#[tokio::test]
async fn the_page_s_service_configuration_has_its_method_called_again() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../../docs/grpc.md")).unwrap();
    let [config] = blocks(&page, "json").try_into().unwrap();
    let tasks = Tasks::new();
    let serving = plain(Late(AtomicU32::new(0)), &tasks).await;
    let args = ChannelArgs::new().with("grpc.service_config", config.as_str());
    let target = Target::from(serving.address());
    let channel = Channel::new(&target, &ChannelCredentials::insecure(), args.unwrap()).unwrap();
    let greeting = "Ada".to_owned();
    let reply = HelloServiceClient::new(channel)
        .say_hello(HelloRequest { greeting })
        .await;
    assert_eq!(reply.unwrap().into_inner().reply, "Ada");
}

/// The fenced blocks of a language on the page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}");
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match (line, &mut open) {
            (line, None) if line == begin => open = Some(String::new()),
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
    let mut shown = blocks(&page, "rust");
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

/// Adds the text of every Rust file below a folder.
fn collect(folder: &Path, texts: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            texts.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_tests_that_the_page_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/grpc.md")).unwrap();
    let (_before, terms) = page.split_once("## The document's terms, one by one").unwrap();
    // What other tests write on the page stands behind these tables.
    let terms = terms
        .split("\n## ")
        .next()
        .unwrap()
        .split("\n<!--")
        .next()
        .unwrap();
    let mut texts = String::new();
    for folder in ["crates", "tests"] {
        collect(&root.join(folder), &mut texts);
    }
    let mut seen = 0;
    let rows = terms
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    for shown in rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next()) {
        for name in shown.split('`').skip(1).step_by(2) {
            let is_path = name.contains(['/', '.']);
            let there = if is_path {
                let places = ["", "crates/rpc/", "crates/rpc/tests/it/"];
                places.iter().any(|place| root.join(place).join(name).exists())
            } else {
                texts.contains(&format!("fn {name}("))
            };
            assert!(there, "docs/grpc.md names {name}, which is not there");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn the_bounds_that_the_page_names_are_the_defaults() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/grpc.md");
    let page = fs::read_to_string(page).unwrap();
    let (limits, calls) = (Limits::default(), CallLimits::default());
    let secs = |time: std::time::Duration| format!("{} s", time.as_secs());
    let (kib, mib) = (1024, 1024 * 1024);
    let in_thousands = |count: usize| format!("{},{:03}", count / 1000, count % 1000);
    for (bound, value) in [
        (
            "TLS handshake; head of a request",
            format!("{}; {}", secs(limits.handshake), secs(limits.head)),
        ),
        (
            "connections",
            format!("{}, and half of the files that may be open", limits.connections),
        ),
        (
            "headers of a request",
            format!("{} KiB", limits.header_bytes / kib),
        ),
        (
            "open calls on a connection; calls that run in all",
            format!("{}; {}", limits.streams, in_thousands(calls.running)),
        ),
        (
            "a message, unpacked",
            format!("{} MiB", calls.message_bytes / (kib * kib)),
        ),
        (
            "messages over 64 KiB that arrive at a time, in all",
            format!("{} MiB", calls.arriving_bytes / mib),
        ),
        (
            "a message that has begun",
            format!("{} of waiting", secs(calls.message_time)),
        ),
        (
            "resets that no handler has seen; resets that the server is made to send",
            format!("{}; 1024", limits.pending_resets),
        ),
        (
            "pings that nobody answers",
            format!(
                "one in {}, {} each",
                secs(limits.ping_every),
                secs(limits.ping_wait)
            ),
        ),
    ] {
        let row = format!("\n| {bound} | {value} | ");
        assert!(page.contains(&row), "docs/grpc.md has no row{row}");
    }
}
