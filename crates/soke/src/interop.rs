//! `soke interop server` and `soke interop client`: gRPC's interoperability tests, with their official flags. They need
//! no zone and no data folder.
//!
//! What it leaves to others: everything that is tested (crate `interop`). Flags that are not official are those for
//! certificates, and for the local issuer that stands in for a company's sandbox; where Go's programs have one for the
//! same, it has that name.

use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::value_parser;
use interop::{Account, Case, Error, Parts, Settings, Soak};
use rpc::{
    ClientCertificates, Identity, ListenAddress, Security, Target, TlsSource, Trust, link::Holder,
    server_config,
};
use tasks::Tasks;
use tokio::runtime::Runtime;
use tonic::metadata::{AsciiMetadataKey, BinaryMetadataKey, MetadataMap, MetadataValue};

use crate::{
    failure::{Failure, read},
    signals::StopSignals,
};

/// What certificates are for.
const TLS: &str =
    "--use_tls=true for its certificates: without it nothing is encrypted and nobody proves anything";
/// How long running calls may take to end.
const GRACE: Duration = Duration::from_secs(2);
/// The most calls at a time.
const MOST_CALLS: i64 = 100_000;
/// The most bytes of a message that is made here: far more than any server takes.
const MOST_BYTES: i64 = 64 * 1024 * 1024;
/// The exit code when a case has not passed.
const NOT_PASSED: u8 = 1;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Interop {
    /// Stand as the test server until stopped
    Server(Server),
    /// Run test cases against a test server
    Client(Box<Client>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 10_000)]
    port: u16,
    /// The IP address
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Speak TLS
    #[arg(long = "use_tls", value_name = "true|false", num_args = 0..=1, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    use_tls: bool,
    /// The certificate chain, a PEM file
    #[arg(long = "tls_cert_file", value_name = "FILE")]
    tls_cert_file: Option<PathBuf>,
    /// Its key, a PEM file
    #[arg(long = "tls_key_file", value_name = "FILE")]
    tls_key_file: Option<PathBuf>,
    /// Ask for certificates that this authority has signed, a PEM file
    #[arg(long = "tls_client_ca_file", value_name = "FILE", requires = "tls_cert_file")]
    tls_client_ca_file: Option<PathBuf>,
    /// Believe tokens of this service account, a JSON file
    #[arg(long = "service_account_key_file", value_name = "FILE")]
    service_account_key_file: Option<PathBuf>,
    /// Give that account's tokens out on this port of this machine
    #[arg(
        long = "issuer_port",
        value_name = "PORT",
        requires = "service_account_key_file"
    )]
    issuer_port: Option<u16>,
    /// Speak without encryption where others reach the address
    #[arg(long)]
    insecure: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Client {
    /// The server's host
    #[arg(long = "server_host", default_value = "localhost")]
    server_host: String,
    /// The server's port
    #[arg(long = "server_port", default_value_t = 10_000)]
    server_port: u16,
    /// The name that the server must prove, where it is another
    #[arg(long = "server_host_override", value_name = "NAME")]
    server_host_override: Option<String>,
    /// The cases, several with commas between them
    #[arg(long = "test_case", value_delimiter = ',', default_value = "large_unary")]
    test_case: Vec<String>,
    /// Speak TLS
    #[arg(long = "use_tls", value_name = "true|false", num_args = 0..=1, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    use_tls: bool,
    /// Trust the test authority; it is the one of --ca_file either way
    #[arg(long = "use_test_ca", value_name = "true|false", num_args = 0..=1, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    use_test_ca: bool,
    /// The authority to trust, a PEM file
    #[arg(long = "ca_file", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Show this certificate, a PEM file
    #[arg(long = "tls_cert_file", value_name = "FILE", requires = "tls_key_file")]
    tls_cert_file: Option<PathBuf>,
    /// Its key, a PEM file
    #[arg(long = "tls_key_file", value_name = "FILE", requires = "tls_cert_file")]
    tls_key_file: Option<PathBuf>,
    /// google_default_credentials or compute_engine_channel_creds: TLS with what the case of that name adds to it
    #[arg(long = "custom_credentials_type", value_name = "TYPE", value_parser = ["google_default_credentials", "compute_engine_channel_creds"])]
    custom_credentials_type: Option<String>,
    /// The service account, a JSON file
    #[arg(long = "service_account_key_file", value_name = "FILE")]
    service_account_key_file: Option<PathBuf>,
    /// The name of the machine's own account
    #[arg(long = "default_service_account", value_name = "NAME", default_value = "")]
    default_service_account: String,
    /// The scope that tokens are asked for
    #[arg(long = "oauth_scope", value_name = "SCOPE", default_value = "")]
    oauth_scope: String,
    /// Who gives out tokens of the machine's own account
    #[arg(long = "metadata_server", value_name = "HOST:PORT")]
    metadata_server: Option<String>,
    /// Send this with every call: NAME:VALUE;NAME:VALUE, where the value of a name in -bin goes as bytes
    #[arg(long = "additional_metadata", value_name = "TEXT", default_value = "")]
    additional_metadata: String,
    /// The channel's service configuration
    #[arg(long = "service_config_json", value_name = "JSON")]
    service_config_json: Option<String>,
    #[command(flatten)]
    soak: SoakFlags,
    /// How many calls concurrent_large_unary makes at the same time
    #[arg(long = "concurrent_calls", value_name = "COUNT", default_value_t = 1000, value_parser = value_parser!(u32).range(1..=MOST_CALLS))]
    concurrent_calls: u32,
}

#[derive(Debug, clap::Args)]
struct SoakFlags {
    /// How many calls a soak case makes
    #[arg(long = "soak_iterations", value_name = "COUNT", default_value_t = 10, value_parser = value_parser!(u32).range(1..))]
    soak_iterations: u32,
    /// How many of them may fail or be too slow
    #[arg(long = "soak_max_failures", value_name = "COUNT", default_value_t = 0)]
    soak_max_failures: u32,
    /// How long one of them may take
    #[arg(
        long = "soak_per_iteration_max_acceptable_latency_ms",
        value_name = "MS",
        default_value_t = 1000
    )]
    soak_latency_ms: u32,
    /// How long all of them may take
    #[arg(
        long = "soak_overall_timeout_seconds",
        value_name = "SECONDS",
        default_value_t = 10
    )]
    soak_overall_secs: u32,
    /// How far the beginnings of two are apart at the least
    #[arg(
        long = "soak_min_time_ms_between_rpcs",
        value_name = "MS",
        default_value_t = 0
    )]
    soak_between_ms: u32,
    /// How many callers share them
    #[arg(long = "soak_num_threads", value_name = "COUNT", default_value_t = 1, value_parser = value_parser!(u32).range(1..=MOST_CALLS))]
    soak_num_threads: u32,
    /// Bytes of a request
    #[arg(long = "soak_request_size", value_name = "BYTES", default_value_t = 271_828, value_parser = value_parser!(u32).range(..=MOST_BYTES))]
    soak_request_size: u32,
    /// Bytes of an answer
    #[arg(long = "soak_response_size", value_name = "BYTES", default_value_t = 314_159, value_parser = value_parser!(i32).range(0..=MOST_BYTES))]
    soak_response_size: i32,
}

/// Does what was asked for and gives the exit code.
pub(crate) fn interop(asked: &Interop) -> Result<u8, Failure> {
    let runtime = Runtime::new().map_err(Failure::System)?;
    match asked {
        Interop::Server(server) => runtime.block_on(serve(server)),
        Interop::Client(client) => runtime.block_on(run(client)),
    }
}

async fn serve(asked: &Server) -> Result<u8, Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::System)?;
    let tasks = Tasks::new();
    let handle = interop::start(Parts {
        address: SocketAddr::new(asked.host, asked.port).into(),
        security: asked.security()?,
        insecure: asked.insecure,
        account: account(asked.service_account_key_file.as_deref())?,
        issuer: asked.issuer_port.map(ListenAddress::loopback),
        tasks: tasks.clone(),
    });
    let handle = handle.await?;
    say(&format!("the interop server stands on {}", handle.address()))?;
    signals.next().await;
    handle.stop(GRACE).await;
    tasks.stop(GRACE).await;
    Ok(0)
}

/// Runs every case that was asked for, and says of each what came of it.
async fn run(asked: &Client) -> Result<u8, Failure> {
    let cases: Result<Vec<Case>, Error> = asked.test_case.iter().map(|name| name.parse()).collect();
    let (cases, settings) = (cases?, asked.settings()?);
    settings.check()?;
    let mut code = 0;
    for case in cases {
        match case.run(&settings).await {
            Ok(()) => say(&format!("passed {case}"))?,
            Err(fault) => {
                say(&format!("failed {case}: {}", model::chain(&fault)))?;
                code = NOT_PASSED;
            }
        }
    }
    Ok(code)
}

fn say(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{line}").map_err(Failure::System)
}

fn account(path: Option<&Path>) -> Result<Option<Account>, Failure> {
    let text = path.map(|path| read("--service_account_key_file", path));
    let text = text.transpose()?;
    Ok(text.map(|text| Account::from_json(&text)).transpose()?)
}

fn given(source: rpc::Error) -> Error {
    Error::Given { source }
}

impl Server {
    fn security(&self) -> Result<Security, Failure> {
        let certificates = [&self.tls_cert_file, &self.tls_key_file, &self.tls_client_ca_file];
        if !self.use_tls {
            if certificates.into_iter().any(Option::is_some) {
                return Err(Error::Needs { what: TLS }.into());
            }
            return Ok(Security::Plain);
        }
        let (Some(certificate), Some(key)) = (&self.tls_cert_file, &self.tls_key_file) else {
            let what = "--tls_cert_file and --tls_key_file for --use_tls=true";
            return Err(Error::Needs { what }.into());
        };
        let certificate = read("--tls_cert_file", certificate)?;
        let identity = Identity::from_pem(&certificate, &read("--tls_key_file", key)?).map_err(given)?;
        let clients = match &self.tls_client_ca_file {
            None => ClientCertificates::Unasked,
            Some(path) => ClientCertificates::Required {
                authorities: read("--tls_client_ca_file", path)?,
            },
        };
        let settings = server_config(identity, &clients).map_err(given)?;
        Ok(Security::Tls(TlsSource::new(settings)))
    }
}

impl Client {
    fn settings(&self) -> Result<Settings, Failure> {
        // An IPv6 address stands in brackets before a port.
        let server = match self.server_host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{}", self.server_port),
            Err(_) => format!("{}:{}", self.server_host, self.server_port),
        };
        let target: Target = server.parse().map_err(given)?;
        let trust = self.trust()?;
        let host = self.server_host_override.as_ref().unwrap_or(&self.server_host);
        let holder = match (&self.tls_cert_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => {
                let certificate = read("--tls_cert_file", certificate)?;
                let identity = Identity::from_pem(&certificate, &read("--tls_key_file", key)?);
                Some(identity.and_then(Holder::new).map_err(given)?)
            }
            _ => None,
        };
        Ok(Settings {
            target: target.with_server_name(host).map_err(given)?,
            host: host.clone(),
            trust,
            holder,
            metadata: self.metadata()?,
            service_config: self.service_config_json.clone(),
            account: account(self.service_account_key_file.as_deref())?,
            default_account: self.default_service_account.clone(),
            scope: self.oauth_scope.clone(),
            machine: self.metadata_server.clone(),
            soak: self.soak.numbers(),
            concurrent: self.concurrent_calls,
        })
    }

    fn trust(&self) -> Result<Trust, Failure> {
        if !self.use_tls && self.custom_credentials_type.is_none() {
            if self.tls_cert_file.is_some() {
                return Err(Error::Needs { what: TLS }.into());
            }
            return Ok(Trust::Plaintext);
        }
        let Some(path) = &self.ca_file else {
            let what = match self.use_test_ca {
                true => "--ca_file, the authority that --use_test_ca means",
                false => "--ca_file for --use_tls=true",
            };
            return Err(Error::Needs { what }.into());
        };
        let pem = read("--ca_file", path)?;
        Ok(Trust::Authority { pem })
    }

    fn metadata(&self) -> Result<MetadataMap, Error> {
        let what = "--additional_metadata of the form NAME:VALUE;NAME:VALUE";
        let mut metadata = MetadataMap::new();
        for pair in self
            .additional_metadata
            .split(';')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once(':').ok_or(Error::Needs { what })?;
            if let Ok(name) = BinaryMetadataKey::from_bytes(name.as_bytes()) {
                metadata.append_bin(name, MetadataValue::from_bytes(value.as_bytes()));
                continue;
            }
            let name = AsciiMetadataKey::from_bytes(name.as_bytes());
            let (Ok(name), Ok(value)) = (name, value.parse()) else {
                return Err(Error::Needs { what });
            };
            metadata.append(name, value);
        }
        Ok(metadata)
    }
}

impl SoakFlags {
    fn numbers(&self) -> Soak {
        Soak {
            iterations: self.soak_iterations,
            max_failures: self.soak_max_failures,
            acceptable_latency: Duration::from_millis(self.soak_latency_ms.into()),
            overall: Duration::from_secs(self.soak_overall_secs.into()),
            between: Duration::from_millis(self.soak_between_ms.into()),
            threads: self.soak_num_threads,
            request_size: usize::try_from(self.soak_request_size).unwrap_or(usize::MAX),
            answer_size: self.soak_response_size,
        }
    }
}
