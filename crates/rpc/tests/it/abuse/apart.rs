//! The test service in a process of its own, where its memory and its files can be looked at.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rpc::{Channel, Limits, Security, Target, Trust};
use wire::grpc::testing::test_service_client::TestServiceClient;

use super::crowd::few_files;
use crate::support::{Authority, Server, ZONE};

/// Set for the process that serves; says how.
const ASKED: &str = "SOKE_RPC_TEST_SERVES";
/// The test below, as the test binary knows it.
const NAME: &str = "abuse::apart::a_server_where_one_is_asked_for";
/// What stands before the address and the authority in the line that the server prints.
const MARK: &str = "serves: ";

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    Tls,
    /// Plainly, by a server that may open few files.
    FewFiles,
}

/// No test of its own: the process that the others start. It ends with the process that has started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_where_one_is_asked_for() {
    let Some(way) = std::env::var_os(ASKED) else {
        return;
    };
    let authority = Authority::new();
    let security = match way.to_str() {
        Some("tls") => authority.tls(),
        _ => Security::Plain,
    };
    // More places than silent connections, and more time, so that these are held and not sent away.
    let limits = Limits {
        connections: 8192,
        handshake: Duration::from_secs(15),
        head: Duration::from_secs(15),
        ..Limits::default()
    };
    let server = Server::start(security, limits).await;
    let pem = authority.pem().replace('\n', "|");
    println!("\n{MARK}{} {pem}", server.serving.address());
    tokio::task::block_in_place(|| {
        let mut nothing = String::new();
        // An error ends it as well.
        drop(std::io::stdin().read_line(&mut nothing));
    });
}

/// A server in another process.
pub(crate) struct Apart {
    child: Child,
    pub(crate) address: SocketAddr,
    trust: Trust,
}

impl Apart {
    pub(crate) fn start(way: Way) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut server = match way {
            Way::Plain | Way::Tls => Command::new(own),
            Way::FewFiles => {
                let script = format!("ulimit -n {} && exec \"$0\" \"$@\"", few_files());
                let mut shell = Command::new("sh");
                shell.args(["-c", &script]).arg(own);
                shell
            }
        };
        let mut child = server
            .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
            .env(
                ASKED,
                match way {
                    Way::Plain | Way::FewFiles => "plain",
                    Way::Tls => "tls",
                },
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix(MARK).map(str::to_owned));
        let said = said.expect("the server says where it is");
        let (address, pem) = said.split_once(' ').unwrap();
        let trust = match way {
            Way::Plain | Way::FewFiles => Trust::Plaintext,
            Way::Tls => Trust::Authority {
                pem: pem.replace('|', "\n"),
            },
        };
        Self {
            address: address.parse().unwrap(),
            child,
            trust,
        }
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> TestServiceClient<Channel> {
        let target = Target::from(self.address).with_server_name(ZONE).unwrap();
        let channel = rpc::connect(&target, &self.trust);
        let channel = tokio::time::timeout(Duration::from_secs(30), channel).await;
        TestServiceClient::new(channel.expect("a connection in time").unwrap())
    }

    /// The most memory that the process has had so far, in MiB.
    pub(crate) fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that it has now, in MiB.
    pub(crate) fn memory_now(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// One line of proc_pid_status(5), which counts in KiB.
    fn memory(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the server lives");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib / 1024
    }

    /// How many files the process has open.
    pub(crate) fn files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).expect("the server lives").count()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
