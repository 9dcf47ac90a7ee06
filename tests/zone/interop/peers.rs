//! The programs on both sides: which cases each has, how each is started, and what it says.
//!
//! What it leaves to others: the programs (`tests/interop/peers`, and the client that comes with grpc-go).

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{
    Mode,
    material::{EMAIL, Material, NAME, SCOPE},
};
use crate::harness::{LONG, SOKE, go_program, is_full, run};

/// Whether a case has passed, or why not.
pub(super) type Outcome = Result<(), String>;

/// What every peer has, as client and as server.
const BASE: &[&str] = &[
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
];

/// What every server has for our client, which foreign clients have not.
const LOAD: &[&str] = &["rpc_soak", "channel_soak", "concurrent_large_unary"];

/// The cases that go with tokens, which no client sends in plaintext.
const TOKENS: &[&str] = &[
    "compute_engine_creds",
    "service_account_creds",
    "jwt_token_creds",
    "oauth2_auth_token",
    "per_rpc_creds",
    "google_default_credentials",
    "compute_engine_channel_credentials",
];

/// The rest of our own client's cases.
const OURS: &[&str] = &[
    "client_compressed_unary",
    "server_compressed_unary",
    "client_compressed_streaming",
    "server_compressed_streaming",
    "pick_first_unary",
];

/// All cases, in the order of the table.
pub(super) fn cases() -> impl Iterator<Item = &'static str> {
    [BASE, OURS, LOAD, TOKENS].into_iter().flatten().copied()
}

/// A column of the table: who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    PythonCalls,
    PythonAnswers,
    JsCalls,
    JsAnswers,
    GoCalls,
    GoAnswers,
    Ours,
}

impl Column {
    pub(super) const ALL: [Self; 7] = [
        Self::PythonCalls,
        Self::PythonAnswers,
        Self::JsCalls,
        Self::JsAnswers,
        Self::GoCalls,
        Self::GoAnswers,
        Self::Ours,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::PythonCalls => "grpcio calls Soke",
            Self::PythonAnswers => "Soke calls grpcio",
            Self::JsCalls => "grpc-js calls Soke",
            Self::JsAnswers => "Soke calls grpc-js",
            Self::GoCalls => "grpc-go calls Soke",
            Self::GoAnswers => "Soke calls grpc-go",
            Self::Ours => "Soke calls Soke",
        }
    }

    pub(super) const fn is_go(self) -> bool {
        matches!(self, Self::GoCalls | Self::GoAnswers)
    }

    /// Whether both sides have the case in this mode.
    pub(super) fn has(self, case: &str, mode: Mode) -> bool {
        if BASE.contains(&case) {
            return true;
        }
        let secret = mode != Mode::Plain;
        match self {
            Self::Ours => secret || !TOKENS.contains(&case),
            // The two that are left out ask their surroundings for more than a token, and not in a way that a test has.
            Self::PythonCalls => case == "client_compressed_unary" || (secret && TOKENS[..5].contains(&case)),
            Self::JsCalls => case.starts_with("client_compressed") || (secret && TOKENS[..5].contains(&case)),
            Self::GoCalls => match case {
                "pick_first_unary" | "rpc_soak" | "channel_soak" => true,
                // Those two bring their own idea of TLS, without a certificate of the client.
                "google_default_credentials" | "compute_engine_channel_credentials" => mode == Mode::Tls,
                _ => secret && TOKENS.contains(&case),
            },
            Self::PythonAnswers => {
                LOAD.contains(&case)
                    || matches!(
                        case,
                        "pick_first_unary" | "server_compressed_unary" | "server_compressed_streaming"
                    )
            }
            Self::JsAnswers => LOAD.contains(&case) || case == "pick_first_unary",
            Self::GoAnswers => LOAD.contains(&case),
        }
    }

    /// Runs every case of the column in this mode.
    pub(super) fn run(self, material: &Material, mode: Mode, ours: &Server) -> Vec<(&'static str, Outcome)> {
        let cases: Vec<_> = cases().filter(|case| self.has(case, mode)).collect();
        let client = Client { material, mode };
        match self {
            Self::PythonCalls => told(client.python(), ours, &cases),
            Self::JsCalls => told(client.js(), ours, &cases),
            Self::GoCalls => {
                let one = |case| (case, ended(client.go(case, ours)));
                cases.into_iter().map(one).collect()
            }
            Self::PythonAnswers => told(client.ours(), &Server::python(material, mode), &cases),
            Self::JsAnswers => told(client.ours(), &Server::js(material, mode), &cases),
            Self::GoAnswers => told(client.ours(), &Server::go(material, mode), &cases),
            Self::Ours => told(client.ours(), ours, &cases),
        }
    }
}

/// Lets a client run cases that it tells about one by one.
fn told(mut client: Command, server: &Server, cases: &[&'static str]) -> Vec<(&'static str, Outcome)> {
    client
        .args(server.reach())
        .arg(format!("--test_case={}", cases.join(",")));
    let said = run(client, "", if is_full() { 10 * LONG } else { 2 * LONG });
    let outcome = |case: &&str| {
        let passed = format!("passed {case}");
        let failed = format!("failed {case}: ");
        let mut lines = said.out.lines();
        let found = lines.find_map(|line| match line.strip_prefix(&failed) {
            Some(why) => Some(Err(why.to_owned())),
            None => (line == passed).then_some(Ok(())),
        });
        found.unwrap_or_else(|| Err(format!("nothing was said of it: {}", last_line(&said.errors))))
    };
    cases.iter().map(|case| (*case, outcome(case))).collect()
}

/// Lets a client run the one case that it was given.
fn ended(client: Command) -> Outcome {
    let said = run(client, "", LONG);
    match said.code {
        Some(0) => Ok(()),
        _ => Err(last_line(&said.errors)),
    }
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().to_owned()
}

fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}

fn peer(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/interop/peers")
        .join(path)
}

/// Whether grpc-go's programs were built.
pub(super) fn go_is_there() -> bool {
    go_program("go/peer").is_some()
}

fn tool(path: &str) -> Command {
    let path = tools().join(path);
    assert!(
        path.exists(),
        "{} is missing: run tests/tools/install",
        path.display()
    );
    let mut command = Command::new(path);
    command.env_clear();
    command
}

fn python(program: &str) -> Command {
    let mut command = tool("venv/bin/python");
    command.arg("-B").arg(peer("python").join(program));
    command.env("PYTHONPATH", tools().join("python"));
    command
}

fn js(program: &str) -> Command {
    assert!(
        tools().join("grpc-js/stamp").exists(),
        "grpc-js is missing: run tests/tools/install"
    );
    let mut command = Command::new("node");
    let path = std::env::var_os("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", path)
        .arg(peer("js").join(program));
    command.env("GRPC_JS", tools().join("grpc-js"));
    command.env("PROTO", Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto"));
    command
}

fn soke(role: &str) -> Command {
    let mut command = Command::new(SOKE);
    command.env_clear().args(["interop", role]);
    command
}

/// The clients of one mode.
struct Client<'a> {
    material: &'a Material,
    mode: Mode,
}

impl Client<'_> {
    /// What most clients take.
    fn flags(&self, mut command: Command) -> Command {
        let material = self.material;
        if self.mode != Mode::Plain {
            command.args(["--use_tls=true", "--use_test_ca=true"]);
            command.arg(material.flag("ca_file", "ca.pem"));
            command.arg(format!("--server_host_override={NAME}"));
            command.args(self.account());
            command.arg(format!("--metadata_server={}", material.issuer()));
        }
        if self.mode == Mode::Mutual {
            command.args(self.certificate());
        }
        command
    }

    fn certificate(&self) -> [String; 2] {
        [
            self.material.flag("tls_cert_file", "client.pem"),
            self.material.flag("tls_key_file", "client.key"),
        ]
    }

    fn account(&self) -> [String; 3] {
        [
            self.material.flag("service_account_key_file", "account.json"),
            format!("--default_service_account={EMAIL}"),
            format!("--oauth_scope={SCOPE}"),
        ]
    }

    fn python(&self) -> Command {
        self.flags(python("client.py"))
    }

    fn js(&self) -> Command {
        self.flags(js("client.mjs"))
    }

    fn ours(&self) -> Command {
        let mut command = self.flags(soke("client"));
        command.args(PATIENCE);
        command.arg(format!(
            "--concurrent_calls={}",
            if is_full() { 1000 } else { 50 }
        ));
        command
    }

    /// The program that comes with grpc-go, and ours over its cases where that one knows no certificates of clients.
    fn go(&self, case: &str, server: &Server) -> Command {
        let material = self.material;
        let mut command = tool(if self.mode == Mode::Mutual {
            "go/peer"
        } else {
            "go/client"
        });
        // For the two cases that ask their surroundings.
        command
            .env("GCE_METADATA_HOST", material.issuer())
            .env("GOOGLE_APPLICATION_CREDENTIALS", material.path("account.json"))
            .env("SSL_CERT_FILE", material.path("ca.pem"));
        command.args(server.reach()).arg(format!("--test_case={case}"));
        let own = match case {
            "google_default_credentials" => Some("google_default_credentials"),
            "compute_engine_channel_credentials" => Some("compute_engine_channel_creds"),
            _ => None,
        };
        if let Some(own) = own {
            command.arg(format!("--custom_credentials_type={own}"));
            command.args(self.account());
            return command;
        }
        let name = format!("--server_host_override={NAME}");
        let authority = material.flag("ca_file", "ca.pem");
        match self.mode {
            Mode::Plain => {}
            Mode::Tls => {
                command.args(["--use_tls=true", "--use_test_ca=true", &name, &authority]);
            }
            Mode::Mutual => {
                command.args([&name, &authority]).args(self.certificate());
            }
        }
        command.args(PATIENCE).args(self.account());
        command
    }
}

/// A machine with much to do is no reason to fail.
const PATIENCE: [&str; 2] = [
    "--soak_per_iteration_max_acceptable_latency_ms=30000",
    "--soak_overall_timeout_seconds=60",
];

/// A server that is up; it is killed when it goes.
pub(super) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Our own, with its issuer beside it over TLS.
    pub(super) fn ours(material: &Material, mode: Mode) -> Self {
        let mut command = soke("server");
        command.arg("--port=0").args(own_certificate(material, mode));
        if mode == Mode::Mutual {
            command.arg(material.flag("tls_client_ca_file", "ca.pem"));
        }
        if mode != Mode::Plain {
            command.arg(material.flag("service_account_key_file", "account.json"));
            command.arg(format!("--issuer_port={}", material.issuer_port));
        }
        Self::that_tells(command, material)
    }

    fn python(material: &Material, mode: Mode) -> Self {
        Self::that_tells(foreign(python("server.py"), material, mode), material)
    }

    fn js(material: &Material, mode: Mode) -> Self {
        Self::that_tells(foreign(js("server.mjs"), material, mode), material)
    }

    /// grpc-go's service in a program of ours: the one that comes with it stands where everybody reaches it.
    fn go(material: &Material, mode: Mode) -> Self {
        Self::that_tells(foreign(tool("go/peer"), material, mode), material)
    }

    /// Waits for the line that ends with the port.
    fn that_tells(mut command: Command, material: &Material) -> Self {
        let log = File::create(material.path("server.log")).expect("a file");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let said = child.stdout.take().expect("a pipe");
        BufReader::new(said)
            .read_line(&mut line)
            .expect("it says where it stands");
        let port = line
            .trim()
            .rsplit([' ', ':'])
            .next()
            .and_then(|port| port.parse().ok());
        let Some(port) = port else {
            let log = std::fs::read_to_string(material.path("server.log")).unwrap_or_default();
            panic!("{command:?}: {line}{log}");
        };
        let server = Self { child, port };
        // Another address of loopback reaches a listener on every address, and none on 127.0.0.1 alone.
        let reached = TcpStream::connect(("127.0.0.2", port)).is_ok();
        assert!(!reached, "{command:?}: stands where others reach it");
        server
    }

    /// Two cases at this server, with values behind `=` and as words of their own.
    pub(super) fn two_forms(&self) -> [Vec<String>; 2] {
        let pairs = [
            ("--server_host", "127.0.0.1".to_owned()),
            ("--server_port", self.port.to_string()),
            ("--use_tls", "false".to_owned()),
            ("--use_test_ca", "true".to_owned()),
            ("--test_case", "empty_unary,ping_pong".to_owned()),
        ];
        let words = pairs.clone().into_iter();
        [
            pairs
                .iter()
                .map(|(flag, value)| format!("{flag}={value}"))
                .collect(),
            words.flat_map(|(flag, value)| [flag.to_owned(), value]).collect(),
        ]
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The flags that lead a client here.
    fn reach(&self) -> [String; 2] {
        [
            "--server_host=127.0.0.1".to_owned(),
            format!("--server_port={}", self.port),
        ]
    }
}

fn own_certificate(material: &Material, mode: Mode) -> Vec<String> {
    if mode == Mode::Plain {
        return Vec::new();
    }
    vec![
        "--use_tls=true".to_owned(),
        material.flag("tls_cert_file", "server.pem"),
        material.flag("tls_key_file", "server.key"),
    ]
}

/// A server that is asked for certificates of clients by being given their authority.
fn foreign(mut command: Command, material: &Material, mode: Mode) -> Command {
    command.args(own_certificate(material, mode));
    if mode == Mode::Mutual {
        command.arg(material.flag("ca_file", "ca.pem"));
    }
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
