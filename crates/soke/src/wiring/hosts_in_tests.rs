//! The way to hosts anywhere that stand for services in a zone for tests.
//!
//! Only `soke up --test` makes one. What it leaves to others: who names which host (dialect `grid`).

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use gateway::{
    http_door::Endpoint,
    proxy::{ByteStream, Reach, Unreachable},
};
use grid::Origin;
use model::ServiceId;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The most hosts that are known at a time; beyond that all are forgotten, and known again with the next request.
const MOST: usize = 1_000;

/// Which host stands for which service.
#[derive(Debug, Default)]
pub(crate) struct HostsInTests(Mutex<BTreeMap<ServiceId, Origin>>);

impl HostsInTests {
    /// Lets a host stand for a service.
    pub(crate) fn know(&self, service: ServiceId, origin: Origin) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MOST {
            hosts.clear();
        }
        hosts.insert(service, origin);
    }

    fn of(&self, service: ServiceId) -> Option<Origin> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(&service).cloned()
    }
}

impl Reach for HostsInTests {
    fn reach(&self, endpoint: Endpoint) -> BoxFuture<'_, Result<Box<dyn ByteStream>, Unreachable>> {
        let origin = self.of(endpoint.service);
        Box::pin(async move {
            let origin = origin.ok_or_else(|| Unreachable("no host stands for it any more".to_owned()))?;
            let connected = connect(&origin).await;
            connected.map_err(|fault| Unreachable(format!("{origin}: {fault}")))
        })
    }
}

async fn connect(origin: &Origin) -> io::Result<Box<dyn ByteStream>> {
    let stream = TcpStream::connect((origin.host.as_str(), origin.port)).await?;
    if !origin.secure {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(origin.host.clone()).map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(trust()?));
    Ok(Box::new(connector.connect(name, stream).await?))
}

/// The authorities that this machine trusts.
fn trust() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
