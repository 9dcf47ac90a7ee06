//! The story of one person through every protocol, told only by clients that Soke did not write: the programs in
//! `tests/story`. Once as it is, and once with the server killed after each acknowledged step.
//!
//! What it leaves to others: each protocol's own tests.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Map, Value, json};
use testbed::Postgres;

use crate::harness::{Far, Invitation, LONG, Zone, is_full, run};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/story");

/// What is deployed: it tells who asks, as the gateway says, and what was asked.
const MANIFEST: &str = r#"kind: Process
name: mirror
health_path: /health
command: |
  exec python3 -c '
  import http.server, json, os
  class Mirror(http.server.BaseHTTPRequestHandler):
      def answer(self):
          body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
          head = self.headers
          seen = {"who": head.get("x-soke-user"), "id": head.get("x-soke-user-id"), "line": self.requestline, "body": body}
          said = json.dumps(seen).encode()
          self.send_response(200)
          self.send_header("content-length", str(len(said)))
          self.end_headers()
          self.wfile.write(said)
      do_GET = do_POST = answer
  http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Mirror).serve_forever()
  '
"#;

/// What SCOW's pages show at its doors.
const FRONT_END: &str = "of-the-front-end-0123456789abcdef0123456789abcdef";

/// Who does what, in order, before everything ends.
const STEPS: [(&str, &str); 33] = [
    ("python/native.py", "owner"),
    ("js/management.mjs", "initialise"),
    ("js/management.mjs", "complete"),
    ("js/management.mjs", "account"),
    ("js/management.mjs", "price"),
    ("js/management.mjs", "pay"),
    ("js/management.mjs", "paid"),
    ("python/native.py", "password"),
    ("js/proofs.mjs", "link"),
    ("js/proofs.mjs", "wallet"),
    ("js/proofs.mjs", "add_key"),
    ("js/proofs.mjs", "key"),
    ("python/kapi.py", "login"),
    ("python/native.py", "who"),
    ("python/kapi.py", "write"),
    ("python/kapi.py", "read"),
    ("python/portal.py", "accounts"),
    ("python/portal.py", "upload"),
    ("python/portal.py", "submit"),
    ("python/portal.py", "ended"),
    ("js/management.mjs", "charged"),
    ("python/native.py", "ledger"),
    ("python/native.py", "job"),
    ("python/native.py", "job_ended"),
    ("python/machines.py", "certificate"),
    ("python/machines.py", "token"),
    ("python/machines.py", "register"),
    ("python/machines.py", "registered"),
    ("python/machines.py", "handshake"),
    ("js/machines.mjs", "state"),
    ("js/gateway.mjs", "greet"),
    ("js/gateway.mjs", "deploy"),
    ("js/gateway.mjs", "reach"),
];

/// Steps that look and change nothing: a power cut after one of these shows no more than the one before.
const LOOKS: [&str; 12] = [
    "accounts",
    "ended",
    "who",
    "paid",
    "read",
    "ledger",
    "job_ended",
    "registered",
    "handshake",
    "state",
    "reach",
    "refused",
];

/// What ada has done by then, door by door, as the trail has it.
const DEEDS: [(&str, &str); 11] = [
    ("scow", "files.write"),
    ("scow", "jobs.submit"),
    ("native", "session.sign_in"),
    ("native", "session.add_wallet"),
    ("native", "session.certify"),
    ("native", "jobs.submit"),
    ("buckyos", "session.sign_in"),
    ("buckyos", "tree.set"),
    ("litekube", "node.token"),
    ("grid", "session.sign_in"),
    ("grid", "services.deploy_from"),
];

/// What every door says when it is over.
const REFUSED: [&str; 6] = [
    "python/native.py",
    "python/portal.py",
    "python/kapi.py",
    "python/machines.py",
    "js/machines.mjs",
    "js/gateway.mjs",
];

fn tools() -> PathBuf {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    assert!(
        tools.join("grpc-js/stamp").exists() && tools.join("python/stamp").exists(),
        "{} is not complete: run tests/tools/install",
        tools.display()
    );
    tools.canonicalize().expect("it is there")
}

fn python() -> Command {
    let mut python = Command::new(tools().join("venv/bin/python"));
    python
        .arg("-B")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PYTHONPATH", tools().join("python"))
        .env("PYTHONIOENCODING", "utf-8");
    python
}

/// A plain HTTP server with the manifest.
struct Files {
    server: Child,
    origin: String,
}

impl Files {
    fn serve(folder: &Path) -> Self {
        let mut command = python();
        command.arg(format!("{PROGRAMS}/python/files.py")).arg(folder);
        let mut server = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut port = String::new();
        let said = server.stdout.take().expect("a pipe");
        BufReader::new(said).read_line(&mut port).expect("its port");
        let origin = format!("http://127.0.0.1:{}", port.trim());
        Self { server, origin }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// The zone, its second machine, and what the programs know so far.
struct Story {
    zone: Zone,
    far: Far,
    world: Map<String, Value>,
    is_killed: bool,
    _files: Files,
    _folder: tempfile::TempDir,
}

impl Story {
    /// A zone with nobody in it but its owner, who has not signed in.
    fn begin(is_killed: bool, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("mirror.yaml"), MANIFEST).expect("written");
        let files = Files::serve(folder.path());
        let config = format!(
            "{config}[grid]\nmanifest_sources = [\"{}\"]\n[scow]\nfront_end_token = \"front-end\"\n",
            files.origin
        );
        let mut zone = Zone::builder().at_a_lasting_address().config(&config).prepare();
        let token = zone.data().join("front-end");
        fs::write(&token, FRONT_END).expect("written");
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("it is ours");
        zone.start();
        let own = zone.around().join("story");
        fs::create_dir(&own).expect("a folder");
        let world = json!({
            "ca": zone.data().join("run/ca.pem"),
            "folder": own,
            "tools": tools(),
            "proto": Path::new(PROGRAMS).join("../../proto").canonicalize().expect("proto"),
            "code": zone.owner_code(),
            "manifest": format!("{}/mirror.yaml", files.origin),
            "doors": DEEDS,
            "front_end": FRONT_END,
        });
        let Value::Object(world) = world else {
            unreachable!("it is made as an object")
        };
        Self {
            far: zone.far("far"),
            zone,
            world,
            is_killed,
            _files: files,
            _folder: folder,
        }
    }

    /// Runs one step, keeps what it has learnt, and has the power cut where that was asked for.
    #[track_caller]
    fn step(&mut self, program: &str, step: &str) {
        let mut command = if program.starts_with("python/") {
            python()
        } else {
            let mut node = Command::new("node");
            node.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
            node
        };
        command.arg(format!("{PROGRAMS}/{program}")).arg(step);
        self.world
            .insert("address".to_owned(), Value::Object(self.zone.listeners()));
        let world = serde_json::to_string(&self.world).expect("JSON");
        let said = run(command, &world, LONG);
        let logs = || format!("{}\n{}", self.zone.log(), self.far.log());
        assert_eq!(
            said.code,
            Some(0),
            "{program} {step}\n{}\n{}\n{}",
            said.out,
            said.errors,
            logs()
        );
        let learnt: Map<String, Value> = serde_json::from_str(&said.out)
            .unwrap_or_else(|fault| panic!("{program} {step}: {fault}: {said:?}"));
        self.world.extend(learnt);
        if self.is_killed && !LOOKS.contains(&step) {
            self.zone.kill();
            self.zone.start();
        }
    }

    /// A second machine joins with a token that the owner has made.
    fn join(&mut self) {
        self.step("python/native.py", "invite");
        let token = self.world["token"].as_str().expect("a text").to_owned();
        self.far.join(&Invitation {
            server: self.zone.address().to_string(),
            token,
        });
    }

    fn tell(mut self) {
        for (program, step) in STEPS {
            self.step(program, step);
            if step == "owner" {
                self.join();
            }
        }
        self.step("python/native.py", "trail");
        self.step("python/native.py", "revoke");
        for program in REFUSED {
            self.step(program, "refused");
        }
    }
}

#[test]
fn one_person_is_the_same_behind_every_door_until_every_door_refuses_her() {
    Story::begin(false, "").tell();
}

#[test]
fn each_acknowledged_step_of_the_story_is_there_after_a_kill() {
    Story::begin(true, "").tell();
}

#[test]
fn so_it_is_on_postgresql() {
    if !is_full() {
        return;
    }
    let url = Postgres::shared().database().expect("a database");
    let config = format!("[store]\nengine = \"postgresql\"\nurl = \"{url}\"\n");
    Story::begin(true, &config).tell();
}

/// Takes as long as a build from nothing.
#[test]
fn a_stranger_who_follows_the_readme_in_an_empty_root_is_content() {
    if !is_full() || !rustix::process::geteuid().is_root() {
        return;
    }
    let said = run(
        Command::new(format!("{PROGRAMS}/../stranger/run")),
        "",
        // Longer than it gives itself, so that it cleans up.
        Duration::from_secs(3_700),
    );
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.errors);
    assert!(said.out.ends_with("the stranger is content\n"), "{}", said.out);
}
