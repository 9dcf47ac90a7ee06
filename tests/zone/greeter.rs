//! `soke greeter` as a process: the gRPC document's client prints the document's line, and tools find their way.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{LONG, SOKE, Said, finished, go_program, run};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/zone/python/greeter.py");

/// A greeter on a free port; killed when it goes.
struct Greeter {
    child: Child,
    address: String,
}

impl Greeter {
    fn start() -> Self {
        let mut command = Command::new(SOKE);
        command.args(["greeter", "--listen", "0"]).env_clear();
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let said = child.stdout.take().expect("a pipe");
        BufReader::new(said)
            .read_line(&mut line)
            .expect("it says where it stands");
        let address = line.trim().rsplit(' ').next().expect("a word").to_owned();
        assert!(line.starts_with("the greeter stands on 127.0.0.1:"), "{line}");
        Self { child, address }
    }

    /// Runs a tool of the tests to its end.
    fn tool(&self, program: &Path, arguments: &[&str]) -> Said {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PYTHONPATH", tools().join("python"))
            .env("PYTHONIOENCODING", "utf-8");
        run(command, "", LONG)
    }
}

impl Drop for Greeter {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}

#[test]
fn the_documents_python_client_prints_the_documents_line() {
    let mut greeter = Greeter::start();
    let python = tools().join("venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run tests/tools/install",
        python.display()
    );
    let said = greeter.tool(&python, &["-B", CLIENT, &greeter.address]);
    let wanted = (Some(0), "接收到服务端的响应: Hello,张三!\n");
    assert_eq!((said.code, said.out.as_str()), wanted, "{said:?}");
    let pid = Pid::from_raw(i32::try_from(greeter.child.id()).expect("small")).expect("not zero");
    kill_process(pid, Signal::TERM).expect("our child");
    assert_eq!(
        finished(&mut greeter.child, LONG).and_then(|ended| ended.code()),
        Some(0)
    );
}

#[test]
fn grpcurl_lists_describes_and_calls() {
    // Where it is left out, what it asks is asked in the greeter's own tests all the same.
    let Some(grpcurl) = go_program("bin/grpcurl") else {
        return;
    };
    let greeter = Greeter::start();
    let good = |arguments: &[&str]| {
        let all = [&["-plaintext"], arguments].concat();
        let said = greeter.tool(&grpcurl, &all);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.out
    };
    let listed = good(&[&greeter.address, "list"]);
    for name in ["HelloService", "helloworld.Greeter", "grpc.health.v1.Health"] {
        assert!(listed.lines().any(|line| line == name), "{listed}");
    }
    let described = good(&[&greeter.address, "describe", "helloworld.Greeter"]);
    let method = "rpc SayHello ( .helloworld.HelloRequest ) returns ( .helloworld.HelloResponse );";
    assert!(described.contains(method), "{described}");
    let called = good(&[
        "-d",
        r#"{"name":"张三"}"#,
        &greeter.address,
        "helloworld.Greeter/SayHello",
    ]);
    assert_eq!(called, "{\n  \"message\": \"Hello,张三!\"\n}\n");
    let called = good(&[
        "-d",
        r#"{"greeting":"Ada"}"#,
        &greeter.address,
        "HelloService/LotsOfReplies",
    ]);
    assert_eq!(called.matches("Hello,Ada!").count(), 3, "{called}");
    let health = good(&[&greeter.address, "grpc.health.v1.Health/Check"]);
    assert_eq!(health, "{\n  \"status\": \"SERVING\"\n}\n");
}

#[test]
fn what_cannot_stand_says_why() {
    let greeter = Greeter::start();
    for (arguments, code, text) in [
        (&["--listen", "nowhere"][..], 64, "`nowhere`"),
        (
            &["--listen", "0.0.0.0:0"],
            64,
            "plaintext greeter on `0.0.0.0:0` refused",
        ),
        (
            &["--listen", &greeter.address],
            73,
            "end the program that stands there",
        ),
        (&["--key", "x"], 64, "--certificate"),
        (
            &["--certificate", "nowhere.pem", "--key", "x"],
            66,
            "read --certificate `nowhere.pem`: No such file",
        ),
    ] {
        let mut command = Command::new(SOKE);
        command.arg("greeter").args(arguments).env_clear();
        let said = run(command, "", LONG);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        assert!(said.errors.contains(text), "{arguments:?}: {said:?}");
        assert!(said.errors.lines().count() <= 6, "{said:?}");
    }
}
