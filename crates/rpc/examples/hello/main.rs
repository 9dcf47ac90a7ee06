//! The examples that docs/grpc.md shows, as one program. `server` and the two clients are told where to stand or to
//! call; `deadlines` and `cancellation` stand there and call themselves; `credentials` calls a server over TLS, such as
//! `soke greeter` with a certificate for soke.localhost, whose authority and a token are in files.
//!
//! What it leaves to others: whether they do what the page says (the tests of this crate).

pub(crate) mod blocking_client;
pub(crate) mod cancellation;
pub(crate) mod client;
pub(crate) mod credentials;
pub(crate) mod deadlines;
pub(crate) mod server;

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tasks::Tasks;
use tokio::runtime::Runtime;

use cancellation::{GuestBook, List};
use deadlines::Careful;
use server::{Hello, serve};

const USAGE: &str = "say one of:
  server ADDRESS
  client ADDRESS
  blocking-client ADDRESS
  deadlines ADDRESS
  cancellation ADDRESS
  credentials ADDRESS AUTHORITY-FILE TOKEN-FILE";

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
        ["server", address] => {
            let serving = serve(Hello, address.parse()?, &tasks).await?;
            writeln!(io::stdout(), "serving {}", serving.address())?;
            tokio::signal::ctrl_c().await?;
            serving.stop(Duration::from_secs(1)).await;
            Ok(Vec::new())
        }
        ["client", address] => client::greet(address).await,
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
            Ok(vec![format!("{code:?}, and in the book: {guests:?}")])
        }
        ["credentials", address, authority, token] => {
            let authority = fs::read_to_string(authority)?;
            let token = fs::read_to_string(token)?;
            let channel = credentials::channel(address, authority, token.trim())?;
            Ok(vec![credentials::greet(channel).await?])
        }
        _ => Err(USAGE.into()),
    }
}
