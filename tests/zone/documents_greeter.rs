//! The gRPC document's Greeter and HelloService in both directions: its own steps as it shows them, and programs in Python
//! of its shape against ours, plain and over TLS.
//!
//! What it leaves to others: options and reflection of `soke greeter` (`greeter`).

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rpc::{Channel, ChannelArgs, ChannelCredentials, Target, Trust};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tonic::Status;
use wire::{
    hello::{HelloRequest, hello_service_client::HelloServiceClient},
    helloworld::{self, greeter_client::GreeterClient},
};

use crate::{
    grpc_page::{PAGE, block},
    harness::{LONG, SOKE, Said, finished, is_full, run},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What a client is told by either server, one line each.
const REPLIES: [&str; 8] = [
    "Hello,张三!",
    "Hello,Ada!",
    "Hello,Ben! 1",
    "Hello,Ben! 2",
    "Hello,Ben! 3",
    "Hello,Cy,Dee!",
    "Hello,Eve!",
    "Hello,Flo!",
];

/// A folder such as the document tells its reader to make, with the programs in it.
struct Folder {
    folder: TempDir,
    python: PathBuf,
}

impl Folder {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("protos")).expect("a folder");
        for (from, to) in [
            ("proto/helloworld/helloworld.proto", "protos/helloworld.proto"),
            ("proto/hello/hello.proto", "protos/hello.proto"),
            (
                "tests/zone/python/document/greeter_client.py",
                "greeter_client.py",
            ),
            (
                "tests/zone/python/document/greeter_server.py",
                "greeter_server.py",
            ),
            ("tests/zone/python/document/hello_client.py", "hello_client.py"),
            ("tests/zone/python/document/hello_server.py", "hello_server.py"),
        ] {
            fs::copy(Path::new(ROOT).join(from), folder.path().join(to)).expect("a copy");
        }
        let python = Path::new(ROOT).join("target/tools/venv/bin/python");
        assert!(
            python.exists(),
            "{} is missing: run tests/tools/install",
            python.display()
        );
        Self { folder, python }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Does the steps of docs/grpc.md up to the last, which is given. Everyday runs have an environment already.
    fn follow(&mut self) -> &'static str {
        let steps = block("python3 -m venv ");
        let (before, last) = steps.rsplit_once('\n').expect("several lines");
        let path = std::env::var_os("PATH").expect("a path");
        let mut path = path.into_string().expect("UTF-8");
        let mut lines: Vec<&str> = before.lines().collect();
        if is_full() {
            self.python = self.path("venv/bin/python");
        } else {
            lines.retain(|line| line.starts_with("python -m grpc_tools.protoc "));
            path = format!("{}:{path}", self.programs().display());
        }
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", &lines.join("\n")])
            .env("PATH", path)
            .current_dir(self.folder.path());
        let said = run(shell, "", LONG * 5);
        assert_eq!(said.code, Some(0), "{lines:?}: {said:?}");
        last
    }

    /// Where Python and what was installed with it is.
    fn programs(&self) -> &Path {
        self.python.parent().expect("a folder")
    }

    /// Has the document's line make the modules of a .proto file.
    fn generate(&self, proto: &str) {
        let mut protoc = Command::new(&self.python);
        protoc
            .args(["-m", "grpc_tools.protoc", "-I./protos", "--python_out=./protos"])
            .args(["--grpc_python_out=./protos", &format!("./protos/{proto}.proto")])
            .current_dir(self.folder.path());
        let said = run(protoc, "", LONG);
        assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said:?}");
        for module in [format!("{proto}_pb2.py"), format!("{proto}_pb2_grpc.py")] {
            assert!(self.path("protos").join(&module).exists(), "{module}");
        }
    }

    /// A program of the folder, with the environment that it is told to have.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-B").args(arguments);
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .env(
                "PATH",
                format!(
                    "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                    self.programs().display()
                ),
            )
            .env("PYTHONPATH", "./protos")
            .env("PYTHONIOENCODING", "utf-8")
            .current_dir(self.folder.path());
    }
}

/// A command in a network of its own, where port 50051 is free: what is started together shares it.
pub(crate) fn alone(script: &str) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--", "sh", "-c", script]);
    command
}

#[test]
fn the_documents_own_steps_end_with_its_line_and_ctrl_c_stops_either_server() {
    if run(alone("true"), "", LONG).code != Some(0) {
        // Not everybody may make a network, in which port 50051 is free.
        return;
    }
    let mut folder = Folder::make();
    let client = folder.follow();
    let python = folder.python.display();
    for server in [
        format!("{SOKE} greeter"),
        format!("{python} -B greeter_server.py"),
    ] {
        // With job control a signal reaches the server as it does from a terminal.
        let script = format!(
            "set -m; stands() {{ (exec 3<>/dev/tcp/127.0.0.1/50051) 2> /dev/null; }}\n\
             ip link set lo up 2> /dev/null || ifconfig lo up; {server} > server.out & server=$!\n\
             for try in $(seq 300); do stands && break; sleep 0.1; done\n\
             {client} || {{ kill $server; exit 1; }}\n\
             kill -INT $server; wait $server; echo \"ended with $?\"; stands || echo gone"
        );
        let mut command = alone(&format!("exec bash -c '{script}'"));
        folder.surround(&mut command);
        let said = run(command, "", LONG);
        let line = "接收到服务端的响应: Hello,张三!";
        assert!(PAGE.contains(&format!("It prints `{line}`.")), "the page says so");
        let wanted = format!("{line}\nended with 0\ngone\n");
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(0), wanted.as_str()),
            "{server}: {said:?}"
        );
    }
}

/// An authority, and the files of a certificate for this machine and of its key.
struct Certificate {
    authority: String,
    files: [PathBuf; 3],
}

impl Certificate {
    fn make(folder: &Folder) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another name than the certificate's, which would else seem to have signed itself.
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        let files = ["authority.pem", "certificate.pem", "key.pem"].map(|name| folder.path(name));
        let texts = [authority.pem(), certificate.pem(), key.serialize_pem()];
        for (file, text) in files.iter().zip(&texts) {
            fs::write(file, text).expect("written");
        }
        let [authority, ..] = texts;
        Self { authority, files }
    }

    fn file(&self, number: usize) -> &str {
        self.files[number].to_str().expect("text")
    }
}

/// A server of the test, killed when it goes.
struct Server {
    child: Child,
    /// Its first line, which tells where it stands.
    line: String,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let said = child.stdout.take().expect("a pipe");
        BufReader::new(said)
            .read_line(&mut line)
            .expect("it says where it stands");
        Self {
            child,
            line: line.trim().to_owned(),
        }
    }

    /// The address by name, as its certificate has it.
    fn address(&self) -> String {
        let port = self.line.rsplit([':', ' ']).next().expect("a port");
        format!("localhost:{port}")
    }

    /// Ctrl-C.
    fn interrupt(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("small")).expect("not zero");
        kill_process(pid, Signal::INT).expect("our child");
        let ended = finished(&mut self.child, LONG).and_then(|ended| ended.code());
        assert_eq!(ended, Some(0), "{}", self.line);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn their_client_calls_all_of_our_greeter_plain_and_over_tls() {
    let folder = Folder::make();
    for proto in ["helloworld", "hello"] {
        folder.generate(proto);
    }
    let certificate = Certificate::make(&folder);
    for tls in [false, true] {
        let mut command = Command::new(SOKE);
        command.args(["greeter", "--listen", "0"]).env_clear();
        if tls {
            command.args(["--certificate", certificate.file(1), "--key", certificate.file(2)]);
        }
        let server = Server::start(command);
        let address = server.address();
        let mut arguments = vec!["hello_client.py", address.as_str()];
        if tls {
            arguments.push(certificate.file(0));
        }
        let Said { code, out, errors } = run(folder.program(&arguments), "", LONG);
        assert_eq!(
            (code, out.lines().collect()),
            (Some(0), REPLIES.to_vec()),
            "{errors}"
        );
        server.interrupt();
    }
}

#[test]
fn our_client_calls_all_of_their_server_plain_and_over_tls() {
    let folder = Folder::make();
    for proto in ["helloworld", "hello"] {
        folder.generate(proto);
    }
    let certificate = Certificate::make(&folder);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for tls in [false, true] {
        let mut arguments = vec!["hello_server.py"];
        if tls {
            arguments.extend([certificate.file(1), certificate.file(2)]);
        }
        let server = Server::start(folder.program(&arguments));
        let target: Target = server.address().parse().expect("a target");
        let credentials = match tls {
            false => ChannelCredentials::insecure(),
            true => ChannelCredentials::tls(Trust::Authority {
                pem: certificate.authority.clone(),
            }),
        };
        let replies = runtime.block_on(async {
            let channel = Channel::new(&target, &credentials, ChannelArgs::new().with_deadline(LONG));
            let channel = channel.expect("a channel");
            let replies = greet(channel.clone()).await;
            channel.close(LONG).await;
            replies
        });
        assert_eq!(replies.expect("answered"), REPLIES, "TLS: {tls}");
        server.interrupt();
    }
}

fn greeting(name: &str) -> HelloRequest {
    let greeting = name.to_owned();
    HelloRequest { greeting }
}

/// What `hello_client.py` does, by our client.
async fn greet(channel: Channel) -> Result<Vec<String>, Status> {
    let name = "张三".to_owned();
    let mut greeter = GreeterClient::new(channel.clone());
    let said = greeter.say_hello(helloworld::HelloRequest { name }).await?;
    let mut replies = vec![said.into_inner().message];
    let mut hello = HelloServiceClient::new(channel);
    replies.push(hello.say_hello(greeting("Ada")).await?.into_inner().reply);
    let mut answers = hello.lots_of_replies(greeting("Ben")).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        replies.push(answer.reply);
    }
    let names = tokio_stream::iter(["Cy", "Dee"].map(greeting));
    replies.push(hello.lots_of_greetings(names).await?.into_inner().reply);
    let names = tokio_stream::iter(["Eve", "Flo"].map(greeting));
    let mut answers = hello.bidi_hello(names).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        replies.push(answer.reply);
    }
    Ok(replies)
}
