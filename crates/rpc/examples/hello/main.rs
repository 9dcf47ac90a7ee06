//! The examples that docs/grpc.md shows, as one program. The servers and the two clients are told where to stand or to
//! call. `json`, `deadlines` and `cancellation` stand there and call themselves, and so does `credentials`, over TLS with
//! a certificate for soke.localhost, whose authority, chain and key are files.
//!
//! What it leaves to others: whether they do what the page says (the tests of this crate).

pub(crate) mod authenticator;
pub(crate) mod blocking_client;
pub(crate) mod blocking_handlers;
pub(crate) mod cancellation;
pub(crate) mod client;
pub(crate) mod credentials;
pub(crate) mod deadlines;
pub(crate) mod json;
pub(crate) mod server;

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    process::ExitCode,
    sync::{Arc, PoisonError},
    time::Duration,
};

use rpc::{
    Calls, ClientCertificates, Identity, Limits, Listener, Security, Serving, TlsSource, Workers,
    server_config,
};
use tasks::Tasks;
use tokio::runtime::Runtime;

use authenticator::{Doorkeeper, guarded};
use blocking_handlers::Blocking;
use cancellation::{GuestBook, List};
use deadlines::Careful;
use server::{Hello, serve};

const USAGE: &str = "say one of:
  server ADDRESS
  blocking-server ADDRESS
  client ADDRESS
  blocking-client ADDRESS
  json ADDRESS
  deadlines ADDRESS
  cancellation ADDRESS
  credentials ADDRESS AUTHORITY-FILE CERTIFICATE-FILE KEY-FILE";

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = match words.as_slice() {
        // Outside of any runtime, as the programs are for which it is made.
        ["blocking-client", address] => blocking_client::greet(address),
        words => Runtime::new()?.block_on(run(words)),
    };
    match said {
        Ok(lines) => {
            for line in lines {
                writeln!(io::stdout(), "{line}")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            writeln!(io::stderr(), "{fault}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn run(words: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
    let tasks = Tasks::new();
    match *words {
        ["server", address] => until_ctrl_c(serve(Hello, address.parse()?, &tasks).await?).await,
        ["blocking-server", address] => {
            let workers = Workers::new(&tasks, 8, 100);
            until_ctrl_c(serve(Blocking(workers), address.parse()?, &tasks).await?).await
        }
        ["client", address] => client::greet(address).await,
        ["json", address] => {
            let serving = stand(address, Security::Plain, json::in_both(Hello)?, &tasks).await?;
            Ok(vec![json::greet(&serving.address().to_string()).await?])
        }
        ["deadlines", address] => {
            let serving = serve(Careful, address.parse()?, &tasks).await?;
            deadlines::ask(&serving.address().to_string()).await
        }
        ["cancellation", address] => {
            let guests = List::default();
            let book = GuestBook {
                guests: Arc::clone(&guests),
                ends: List::default(),
                tasks: tasks.clone(),
            };
            let serving = serve(book, address.parse()?, &tasks).await?;
            let code = cancellation::leave(&serving.address().to_string()).await?;
            let guests = guests.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(vec![format!("{code:?}, and in the book: {guests:?}")])
        }
        ["credentials", address, authority, chain, key] => {
            let read = |path: &str| fs::read_to_string(path);
            let identity = Identity::from_pem(&read(chain)?, &read(key)?)?;
            let tls = TlsSource::new(server_config(identity, &ClientCertificates::Unasked)?);
            let calls = guarded(Doorkeeper::new("a-token-of-ada", "Ada"));
            let serving = stand(address, Security::Tls(tls), calls, &tasks).await?;
            let server = serving.address().to_string();
            let channel = credentials::channel(&server, read(authority)?, "a-token-of-ada")?;
            Ok(vec![credentials::greet(channel).await?])
        }
        _ => Err(USAGE.into()),
    }
}

/// Serves these calls in this way.
pub(crate) async fn stand(
    address: &str,
    security: Security,
    calls: Calls,
    tasks: &Tasks,
) -> Result<Serving, rpc::Error> {
    let listener = Listener::bind(address.parse()?, security).await?;
    Ok(rpc::serve(listener, calls, tasks, Limits::default()))
}

async fn until_ctrl_c(serving: Serving) -> Result<Vec<String>, Box<dyn Error>> {
    writeln!(io::stdout(), "serving {}", serving.address())?;
    tokio::signal::ctrl_c().await?;
    serving.stop(Duration::from_secs(1)).await;
    Ok(Vec::new())
}
