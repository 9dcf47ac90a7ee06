//! The test server: one listener with the test service, and the issuer beside it where one is wanted.
//!
//! What it leaves to others: what the service answers (`service`), and the transport (`rpc`).

mod payload;
mod service;

use std::{net::SocketAddr, time::Duration};

use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, Serving};
use tasks::{Clock, Stopped, Tasks};
use tonic::service::Routes;
use wire::grpc::testing::test_service_server::TestServiceServer;

use crate::{Account, Error, issuer};
use service::Service;

/// What the server is made of.
pub struct Parts {
    /// Where it stands.
    pub address: ListenAddress,
    /// Plain or TLS.
    pub security: Security,
    /// Whether a plain listener may stand where others reach it.
    pub insecure: bool,
    /// Whose tokens are believed; without it none are.
    pub account: Option<Account>,
    /// Where tokens of that account are given out, on this machine.
    pub issuer: Option<ListenAddress>,
    /// The owner of its tasks.
    pub tasks: Tasks,
}

/// The open server.
#[derive(Debug)]
pub struct Handle {
    serving: Serving,
    issuing: Option<Serving>,
}

/// Opens the server.
///
/// # Errors
/// Invalid where a plain listener, or the issuer, would be reached by others, and for an issuer without an account;
/// precondition where an address cannot be taken.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    if matches!(parts.security, Security::Plain) {
        check(parts.address, parts.insecure)?;
    }
    let listener = open(parts.address, parts.security).await?;
    let clock = Clock::system();
    let issuing = match (parts.issuer, &parts.account) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(Error::Needs {
                what: "--service_account_key_file",
            });
        }
        (Some(address), Some(account)) => {
            check(address, false)?;
            let issuer = issuer::Issuer::new(account.clone(), clock.clone());
            let listener = open(address, Security::Plain).await?;
            Some(rpc::serve(listener, issuer, &parts.tasks, Limits::default()))
        }
    };
    let service = TestServiceServer::new(Service::new(parts.account, clock));
    let calls = Calls::new(
        Routes::builder().add_service(service).clone().routes(),
        CallLimits::default(),
    );
    let serving = rpc::serve(listener, calls, &parts.tasks, Limits::default());
    Ok(Handle { serving, issuing })
}

fn check(address: ListenAddress, insecure: bool) -> Result<(), Error> {
    let checked = address.check_plaintext(insecure);
    checked.map_err(|_reachable| Error::Plaintext {
        address: address.to_string(),
    })
}

async fn open(address: ListenAddress, security: Security) -> Result<Listener, Error> {
    let opened = Listener::bind(address, security).await;
    opened.map_err(|source| Error::Open { source })
}

impl Handle {
    /// The address with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// The issuer's address.
    #[must_use]
    pub fn issuer_address(&self) -> Option<SocketAddr> {
        self.issuing.as_ref().map(Serving::address)
    }

    /// Closes the server; running calls have `grace` to end.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        if let Some(issuing) = &self.issuing {
            issuing.stop(grace).await;
        }
        self.serving.stop(grace).await
    }
}
