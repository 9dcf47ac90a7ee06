//! `soke greeter`: the gRPC document's example server, until it is stopped. It needs no zone and no data folder.
//!
//! What it leaves to others: everything that it answers (`greeter`).

use std::{
    io::{self, Write as _},
    time::Duration,
};

use greeter::{Error, Parts};
use rpc::{ClientCertificates, Identity, Security, TlsSource, server_config};
use tasks::Tasks;
use tokio::runtime::Runtime;

use crate::{
    args::Greeter,
    failure::{Failure, read},
    signals::StopSignals,
};

/// How long running calls may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Stands until a signal.
pub(crate) fn greet(asked: &Greeter) -> Result<u8, Failure> {
    let given = |source| Error::Given { source };
    let address = asked.listen.parse().map_err(given)?;
    let security = security(asked)?;
    let runtime = Runtime::new().map_err(Failure::System)?;
    runtime.block_on(async {
        let mut signals = StopSignals::listen().map_err(Failure::System)?;
        let tasks = Tasks::new();
        let handle = greeter::start(Parts {
            address,
            security,
            insecure: asked.insecure,
            tasks: tasks.clone(),
        });
        let handle = handle.await?;
        let text = format!("the greeter stands on {}", handle.address());
        writeln!(io::stdout().lock(), "{text}").map_err(Failure::System)?;
        signals.next().await;
        handle.stop(GRACE).await;
        tasks.stop(GRACE).await;
        Ok(0)
    })
}

/// TLS where a certificate is given.
fn security(asked: &Greeter) -> Result<Security, Failure> {
    let (Some(certificate), Some(key)) = (&asked.certificate, &asked.key) else {
        return Ok(Security::Plain);
    };
    let identity = Identity::from_pem(&read("--certificate", certificate)?, &read("--key", key)?);
    let settings = identity.and_then(|identity| server_config(identity, &ClientCertificates::Unasked));
    let settings = settings.map_err(|source| Error::Given { source })?;
    Ok(Security::Tls(TlsSource::new(settings)))
}
