//! Stands in for the real binary: the stage, the probe, and an agent that is there to be killed.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use bytes::Bytes;
use confine::{Abilities, Account, Confine};
use futures::stream::BoxStream;
use jobs::{
    agent::{self, LocalNode},
    node::{OnNode as _, Order, ReadAsUser},
};
use model::{JobId, Span, Timestamp};
use stage::{SUBCOMMAND, Work};
use tasks::{Clock, Tasks};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == SUBCOMMAND => stage::main(rest),
        Some((word, rest)) if word == "probe" => match confine::answer_probe(&["probe"], rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_not_possible) => ExitCode::FAILURE,
        },
        Some((word, rest)) if word == "agent" => doomed_agent(rest),
        Some(_) | None => ExitCode::FAILURE,
    }
}

struct NoReader;

impl ReadAsUser for NoReader {
    fn read(&self, _: &Account, _: &str, _: u64) -> BoxStream<'static, Result<Bytes, jobs::Error>> {
        Box::pin(futures::stream::empty())
    }
}

/// Starts as many jobs as asked for in a data folder, says so, and waits to be killed.
#[tokio::main]
async fn doomed_agent(arguments: &[String]) -> ExitCode {
    let data = PathBuf::from(arguments.first().expect("a data folder"));
    let count: u32 = arguments
        .get(1)
        .and_then(|text| text.parse().ok())
        .expect("a count");
    let script = arguments.get(2).expect("a script");
    let program = PathBuf::from("/proc/self/exe");
    let abilities = Abilities::probe(Path::new(&program), &["probe"]).expect("the machine can be probed");
    let settings = confine::Config {
        data: data.clone(),
        first_uid: 200_000,
    };
    let node = LocalNode::start(agent::Parts {
        tasks: Tasks::new(),
        clock: Clock::system(),
        confine: Confine::new(settings, abilities),
        program,
        data,
        reader: Arc::new(NoReader),
        config: agent::Config::new("here"),
    })
    .await
    .expect("a node");
    for number in 1..=count {
        let order = Order {
            id: JobId::fresh(Timestamp::from_secs(1_700_000_000)),
            number,
            name: "job".to_owned(),
            account: Account {
                name: "ada".to_owned(),
                number: 1,
                unix_name: None,
                owner: false,
            },
            work: Work::Script(script.clone()),
            cores: 1,
            memory_bytes: 256 << 20,
            time_limit: Span::from_secs(600),
            working_directory: String::new(),
            stdout_path: format!("job-{number}.out"),
            stderr_path: format!("job-{number}.err"),
        };
        node.start(order).await.expect("it starts");
    }
    let mut out = std::io::stdout();
    out.write_all(b"started\n")
        .and_then(|()| out.flush())
        .expect("standard output is open");
    std::future::pending::<()>().await;
    ExitCode::SUCCESS
}
