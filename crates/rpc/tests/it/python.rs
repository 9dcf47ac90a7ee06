//! Beside Python's grpcio: the states of a channel, and calls to its servers.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

use rpc::{Channel, ChannelArgs, ChannelCredentials, ChannelState, Security, Target, Trust, link::Holder};
use tasks::{Policy, Tasks};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use tonic::Code;
use wire::{
    grpc::testing::{Empty, test_service_client::TestServiceClient},
    helloworld::{HelloRequest, greeter_client::GreeterClient},
};

use crate::{
    gate::Gate,
    support::{Authority, ZONE},
    talker::Server,
};

/// The longest that anything of these tests may take: a Python program begins slowly on a busy machine.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);

/// The idle time of both channels; grpcio knows none under a second.
const IDLE_MS: i64 = 2000;

/// Starts one of the programs beside this file.
fn start(program: &str, arguments: &[&str]) -> Child {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tools = root.join("../../target/tools");
    let python = tools.join("venv/bin/python");
    assert!(
        python.exists() && tools.join("python/stamp").exists(),
        "{} is missing: run tests/tools/install",
        python.display()
    );
    Command::new(python)
        .arg("-B")
        .arg(root.join("tests/it/python").join(program))
        .args(arguments)
        .env_clear()
        .env("PYTHONPATH", tools.join("python"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// A channel that is watched.
enum Watched {
    Ours(Channel),
    Grpcio { say: ChildStdin, _child: Box<Child> },
}

impl Watched {
    async fn connect(&mut self) {
        match self {
            Self::Ours(channel) => drop(channel.state(true)),
            Self::Grpcio { say, .. } => say.write_all(b"connect\n").await.unwrap(),
        }
    }

    async fn call(&mut self) {
        match self {
            Self::Ours(channel) => {
                let mut client = TestServiceClient::new(channel.clone());
                let answer = timeout(LONG, client.empty_call(Empty::default())).await;
                answer.expect("it ends").expect("it goes well");
            }
            Self::Grpcio { say, .. } => say.write_all(b"call\n").await.unwrap(),
        }
    }
}

type Seen = Arc<Mutex<Vec<String>>>;

fn ours(target: &Target, tasks: &Tasks) -> (Watched, Seen) {
    let args = ChannelArgs::new()
        .with("grpc.client_idle_timeout_ms", IDLE_MS)
        .and_then(|args| args.with("grpc.initial_reconnect_backoff_ms", 200))
        .and_then(|args| args.with("grpc.max_reconnect_backoff_ms", 200))
        .unwrap();
    let channel = Channel::new(target, &ChannelCredentials::insecure(), args).unwrap();
    let mut state = channel.state(false);
    let seen = Seen::default();
    let (noted, watched) = (Arc::clone(&seen), channel.clone());
    tasks.spawn("follows a channel", Policy::MayEnd, async move {
        while state != ChannelState::Shutdown {
            let name = match state {
                ChannelState::Idle => "IDLE",
                ChannelState::Connecting => "CONNECTING",
                ChannelState::Ready => "READY",
                ChannelState::TransientFailure => "TRANSIENT_FAILURE",
                ChannelState::Shutdown => "SHUTDOWN",
            };
            noted.lock().unwrap().push(name.to_owned());
            state = watched.changed_from(state).await;
        }
    });
    (Watched::Ours(channel), seen)
}

fn grpcio(target: &Target, tasks: &Tasks) -> (Watched, Seen) {
    let mut child = start("channel.py", &[&target.to_string(), &IDLE_MS.to_string()]);
    let say = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    tasks.spawn("follows a channel of grpcio", Policy::MayEnd, async move {
        while let Ok(Some(line)) = lines.next_line().await {
            noted.lock().unwrap().push(line);
        }
    });
    let _child = Box::new(child);
    (Watched::Grpcio { say, _child }, seen)
}

/// Leads a channel through everything that happens to one, and gives the states that it told of.
async fn walk(gate: &Gate, server: &Server, (mut channel, seen): (Watched, Seen)) -> Vec<String> {
    let states = || seen.lock().unwrap().clone();
    let reached = async |state: &str| {
        let last = || states().last().is_some_and(|last| last == state);
        let reached = testbed::eventually(LONG, async || last()).await;
        assert!(reached, "in vain: {state}, {:?}", states());
    };
    reached("IDLE").await;
    // A connection, a call, and nobody who calls after it.
    channel.connect().await;
    let near = gate.next().await;
    reached("CONNECTING").await;
    let way = gate.onward(near, server.serving.address());
    reached("READY").await;
    channel.call().await;
    reached("IDLE").await;
    drop(way);
    // One that fails, and one that it makes by itself after that, which is lost.
    channel.connect().await;
    let near = gate.next().await;
    reached("CONNECTING").await;
    drop(near);
    reached("TRANSIENT_FAILURE").await;
    let way = gate.onward(gate.next().await, server.serving.address());
    reached("READY").await;
    drop(way);
    reached("IDLE").await;
    states()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_tells_of_the_same_states_as_grpcio_s() {
    let (server, tasks) = (Server::start(Security::Plain).await, Tasks::new());
    let theirs = async {
        let gate = Gate::new().await;
        let channel = grpcio(&gate.target(), &tasks);
        walk(&gate, &server, channel).await
    };
    let own = async {
        let gate = Gate::new().await;
        let channel = ours(&gate.target(), &tasks);
        walk(&gate, &server, channel).await
    };
    let (theirs, own) = tokio::join!(theirs, own);
    println!("{}", own.join(", "));
    assert_eq!(own, theirs);
}

/// A Greeter of grpcio; it ends when this is dropped.
struct Greeter {
    _child: Child,
    _out: BufReader<ChildStdout>,
    target: Target,
}

impl Greeter {
    async fn start(arguments: &[&str]) -> Self {
        let mut child = start("greeter_server.py", arguments);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        let read = timeout(LONG, out.read_line(&mut port)).await;
        read.expect("it says where it stands").unwrap();
        let target: Target = format!("127.0.0.1:{}", port.trim()).parse().unwrap();
        Self {
            _child: child,
            _out: out,
            target: target.with_server_name(ZONE).unwrap(),
        }
    }

    async fn greet(&self, credentials: &ChannelCredentials) -> Result<String, tonic::Status> {
        let channel = Channel::new(&self.target, credentials, ChannelArgs::new()).unwrap();
        let name = "张三".to_owned();
        let call = timeout(LONG, GreeterClient::new(channel).say_hello(HelloRequest { name })).await;
        Ok(call.expect("it ends")?.into_inner().message)
    }
}

/// Writes a text where a program reads it.
fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_greeter_of_grpcio_greets_plainly_over_tls_and_over_mutual_tls() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = authority.pem_of(&[ZONE]);
    let chain = written(folder.path(), "chain.pem", &chain);
    let key = written(folder.path(), "key.pem", &key);
    let callers = written(folder.path(), "callers.pem", &authority.pem());
    let files = [chain.as_str(), &key, &callers];
    let (plain, tls, mutual) = tokio::join!(
        Greeter::start(&[]),
        Greeter::start(&files[..2]),
        Greeter::start(&files),
    );
    let trusting = ChannelCredentials::tls(authority.trust());
    let proving = |authority: &Authority| {
        let holder = Holder::new(authority.identity(&["caller"])).unwrap();
        ChannelCredentials::mutual_tls(Trust::Authority { pem: authority.pem() }, holder)
    };
    for (greeter, credentials) in [
        (&plain, &ChannelCredentials::insecure()),
        (&tls, &trusting),
        (&mutual, &proving(&authority)),
    ] {
        assert_eq!(greeter.greet(credentials).await.unwrap(), "Hello,张三!");
    }
    let stranger = proving(&Authority::new());
    for (greeter, credentials) in [
        (&plain, &trusting),
        (&tls, &ChannelCredentials::insecure()),
        (&tls, &stranger),
        (&mutual, &trusting),
    ] {
        let status = greeter.greet(credentials).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }
}
