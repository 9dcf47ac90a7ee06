//! A deployed service behind Grid's door: reached on another machine through the zone's server alone, and let go of
//! when the session ends.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use tasks::Clock;
use wire::soke::v1::{
    self, JobState, Stream, job_service_client::JobServiceClient,
    session_service_client::SessionServiceClient, user_service_client::UserServiceClient,
};

use super::{
    Ethers,
    http::{Answer, answer_of, ask, now},
    sessions::{cookie, link, sign_for},
};
use crate::{
    harness::{Far, LONG, Zone, eventually, run, wire::signed},
    two_nodes::{Networks, SERVER},
};

/// Says where it runs and for whom it answers; `/stream` never ends.
const TICKER: &str = r##"kind: Process
name: ticker
command: |
  #!/usr/bin/env python3
  import http.server, os, time

  class Ticker(http.server.BaseHTTPRequestHandler):
      protocol_version = "HTTP/1.1"

      def do_GET(self):
          self.send_response(200)
          if self.path == "/stream":
              self.send_header("Transfer-Encoding", "chunked")
              self.end_headers()
              while True:
                  self.wfile.write(b"5\r\ntick\n\r\n")
                  time.sleep(0.05)
          text = "%s on %s for %s" % (self.path, os.environ["SOKE_SERVICE_NODE"], self.headers["x-soke-user"])
          self.send_header("Content-Length", str(len(text)))
          self.end_headers()
          self.wfile.write(text.encode())

      def do_POST(self):
          left = int(self.headers["Content-Length"])
          self.send_response(200)
          self.send_header("Content-Length", str(left))
          self.end_headers()
          while left > 0:
              block = self.rfile.read(min(left, 65536))
              self.wfile.write(block)
              left -= len(block)

  http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ticker).serve_forever()
"##;

/// Sends what it reads to an address and prints what comes back.
const EXCHANGE: &str = "import socket, sys\ns = socket.create_connection((sys.argv[1], int(sys.argv[2])), 60)\n\
    s.sendall(sys.stdin.buffer.read())\nwhile True:\n    block = s.recv(65536)\n    if not block: break\n    \
    sys.stdout.buffer.write(block)\n";

/// A request to the door from within the network of the zone's server.
fn ask_inside(network: &str, door: SocketAddr, target: &str, lines: &str) -> Answer {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{network}"));
    command.args([
        "python3",
        "-c",
        EXCHANGE,
        &door.ip().to_string(),
        &door.port().to_string(),
    ]);
    let request = format!("GET {target} HTTP/1.1\r\nhost: {door}\r\nconnection: close\r\n{lines}\r\n");
    let said = run(command, &request, LONG);
    assert_eq!(said.code, Some(0), "{said:?}");
    answer_of(&said.out)
}

/// Links a wallet to the owner, deploys on the other machine, and asks through the door.
fn a_service_runs_there_and_answers_here(zone: &Zone, far: &Far, ask: &dyn Fn(&str, &str) -> Answer) {
    let wallet = Ethers::new(41);
    let address = wallet.sign("").address;
    sign_for(zone, &["wallet", "add", &address], &wallet);
    let file = zone.around().join("ticker.yaml");
    std::fs::write(&file, TICKER).expect("written");
    let file = file.to_str().expect("a plain path");
    let deployed = zone.good(&["deploy", file, "--node", "far", "--json"]);
    let deployed: serde_json::Value = serde_json::from_str(&deployed).expect("JSON");
    assert_eq!(deployed["node_name"], "far", "{}", far.log());
    let time = now().to_string();
    let proof = wallet.sign(&time);
    let query = format!(
        "type=2&input={time}&addr={}&sig={}",
        proof.address, proof.signature
    );
    let announced = ask(&format!("/greet?type=1&input={}", proof.address), "");
    assert_eq!(announced.status, 200, "{announced:?}");
    let cookie = format!("cookie: {}\r\n", ask(&format!("/greet?{query}"), "").cookie());
    for target in ["/", "/a;b?c=%2F", "/x//../y"] {
        let said = ask(target, &cookie);
        assert_eq!(
            (said.status, said.body),
            (200, format!("{target} on far for keeper")),
            "{}\n{}",
            zone.log(),
            far.log()
        );
    }
    assert_eq!(ask("/", "").status, 400);
    zone.good(&["services", "stop", "ticker"]);
    assert_eq!(ask("/", &cookie).status, 400);
}

#[test]
fn a_service_of_another_machine_answers_through_the_zones_server() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let far = zone.joined("far");
    let door = zone.listener("grid.http");
    a_service_runs_there_and_answers_here(&zone, &far, &|target, lines| ask(door, "GET", target, lines, ""));
}

#[test]
fn a_service_of_another_machine_answers_without_rights_too() {
    let zone = Zone::builder().unprivileged().start();
    zone.sign_in_owner();
    let far = zone.joined("far");
    let door = zone.listener("grid.http");
    a_service_runs_there_and_answers_here(&zone, &far, &|target, lines| ask(door, "GET", target, lines, ""));
}

#[test]
fn a_service_in_another_network_answers_through_the_zones_server_alone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(networks) = Networks::make('g') else {
        return;
    };
    let zone = Zone::builder().in_network(&networks.near, SERVER).start();
    zone.sign_in_owner();
    let mut far = zone.far("far").in_network(&networks.far);
    far.join(&zone.invite());
    zone.until_node("far", "live");
    let door = zone.listener("grid.http");
    let near = &networks.near;
    a_service_runs_there_and_answers_here(&zone, &far, &|target, lines| {
        ask_inside(near, door, target, lines)
    });
    drop((far, zone));
}

#[test]
fn large_bodies_pass_both_ways() {
    let zone = Zone::builder().start();
    let wire = zone.wire();
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let wallet = Ethers::new(42);
    link(&wire, &owner, &wallet);
    wire.deploy(&owner, TICKER);
    let (door, cookie) = (zone.listener("grid.http"), cookie(&zone, &wallet));
    let lines = format!("cookie: {cookie}\r\n");
    eventually(LONG, "the service answers", || {
        (ask(door, "GET", "/", &lines, "").status == 200).then_some(())
    });
    let body = "0123456789abcdef".repeat(512 * 1024);
    let (clock, begun) = (Clock::system(), Clock::system().monotonic());
    let said = ask(door, "POST", "/", &lines, &body);
    println!(
        "8 MiB there and back took {:?}",
        clock.monotonic().saturating_duration_since(begun)
    );
    assert_eq!(said.status, 200, "{}", said.head);
    assert!(said.body == body, "{} bytes came back", said.body.len());
}

#[test]
fn what_a_session_has_opened_ends_within_five_seconds_of_its_end() {
    let within = Duration::from_secs(5);
    let zone = Zone::builder().config("[jobs]\nnode_name = \"anchor\"\n").start();
    let wire = zone.wire();
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let tokens = wire.sign_in(&wire.create_user(&owner, "ada", "member"));
    let ada = tokens.access_token.clone();
    let wallet = Ethers::new(43);
    link(&wire, &ada, &wallet);
    wire.deploy(&ada, TICKER);
    let (door, cookie) = (zone.listener("grid.http"), cookie(&zone, &wallet));
    let lines = format!("cookie: {cookie}\r\n");
    eventually(LONG, "the service answers", || {
        (ask(door, "GET", "/", &lines, "").body == "/ on anchor for ada").then_some(())
    });
    let number = wire.submit(&ada, "while true; do echo tick; sleep 0.05; done");
    wire.job_until(&ada, number, JobState::Running);
    let clock = Clock::system();
    let stream = open_stream(door, &cookie);
    thread::scope(|scope| {
        let proxied = scope.spawn(|| {
            let read = read_on(stream);
            (clock.monotonic(), read)
        });
        let (said, hears) = std::sync::mpsc::channel();
        let followed = scope.spawn(|| {
            let follower = zone.wire();
            let ended = follow(&follower, &ada, number, said);
            (clock.monotonic(), ended)
        });
        hears.recv_timeout(LONG).expect("the log is followed");
        assert!(!proxied.is_finished() && !followed.is_finished());
        let begun = clock.monotonic();
        let request = v1::RevokeSessionsRequest {
            user_name: "ada".to_owned(),
        };
        let mut users = UserServiceClient::new(wire.channel());
        wire.wait(users.revoke_sessions(signed(request, &owner)))
            .expect("revoked");
        let revoked = clock.monotonic();
        let (proxied_at, read) = proxied.join().expect("it ends");
        let (followed_at, status) = followed.join().expect("it ends");
        assert!(read.contains("tick\n") && !read.ends_with("0\r\n\r\n"), "{read}");
        assert_eq!(status, tonic::Code::Unauthenticated);
        for (what, at) in [
            ("the proxied stream", proxied_at),
            ("the followed log", followed_at),
        ] {
            let took = at.saturating_duration_since(begun);
            println!("{what} ended {took:?} after the session");
            assert!(took < within, "{what} ended after {took:?}");
        }
        eventually(within, "the cookie ends", || {
            (ask(door, "GET", "/", &lines, "").status == 400).then_some(())
        });
        assert_eq!(
            wire.code("/soke.v1.SessionService/WhoAmI", b"", Some(&ada)),
            tonic::Code::Unauthenticated
        );
        let request = v1::RefreshRequest {
            refresh_token: tokens.refresh_token.clone(),
        };
        let mut sessions = SessionServiceClient::new(wire.channel());
        assert!(wire.wait(sessions.refresh(request)).is_err());
        assert!(clock.monotonic().saturating_duration_since(revoked) < within);
    });
    let mut jobs = JobServiceClient::new(wire.channel());
    wire.wait(jobs.cancel_job(signed(v1::CancelJobRequest { number }, &owner)))
        .expect("cancelled");
}

/// Asks for what never ends, and waits for its beginning.
fn open_stream(door: SocketAddr, cookie: &str) -> TcpStream {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(door).expect("the door is open");
    stream.set_read_timeout(Some(LONG)).expect("a bound");
    let request = format!("GET /stream HTTP/1.1\r\nhost: {door}\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    assert!(
        head.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&head)
    );
    stream
}

/// Reads to the end, whatever it is.
fn read_on(mut stream: TcpStream) -> String {
    let mut whole = Vec::new();
    // A reset is an end too.
    drop(stream.read_to_end(&mut whole));
    String::from_utf8_lossy(&whole).into_owned()
}

/// Follows a job's output, says so once something comes, and gives the code with which that ends.
fn follow(
    wire: &crate::harness::Wire,
    bearer: &str,
    number: u32,
    said: std::sync::mpsc::Sender<()>,
) -> tonic::Code {
    let request = v1::FollowOutputRequest {
        number,
        stream: Stream::Stdout.into(),
        offset: 0,
    };
    let mut jobs = JobServiceClient::new(wire.channel());
    wire.wait(async {
        let answer = jobs.follow_output(signed(request, bearer)).await;
        let mut chunks = answer.expect("a stream").into_inner();
        loop {
            match chunks.message().await {
                // Nobody hears of the second one.
                Ok(Some(_chunk)) => drop(said.send(())),
                Ok(None) => return tonic::Code::Ok,
                Err(status) => return status.code(),
            }
        }
    })
}
