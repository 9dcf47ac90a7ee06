//! The listening side: which connections are links, and who may have one.
//!
//! What it leaves to others: calls over what came in (`inward`), and the judgement itself (whoever makes the door).

use std::{fmt, io, sync::Arc};

use futures::future::BoxFuture;
use rustls::{
    ServerConfig,
    server::{ClientHello, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{FORWARD, Links, REVERSED, RUN};
use crate::{Error, PeerInfo, tls};

/// Who asks for a link.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The certificate whose key was proven.
    pub leaf: CertificateDer<'static>,
    /// The other end of the connection.
    pub peer: PeerInfo,
    /// The number of the [`super::Dial`] at the other end, as it says: another one with every start of a program.
    pub run: String,
}

/// Says who may have a link. Asked once for each connection, after the holder has proven the certificate's key and
/// the chain was found to end at one of the door's authorities.
pub trait Judge: Send + Sync + 'static {
    /// Admits the holder of a certificate, or nobody.
    fn judge(&self, caller: Caller) -> BoxFuture<'_, Option<Admission>>;
}

/// The number of a dialling program out of its hello; empty where it shows none.
pub(crate) fn run_of(hello: &ClientHello<'_>) -> String {
    let mut names = hello.alpn().into_iter().flatten();
    let run = names.find_map(|name| name.strip_prefix(RUN));
    let run = run.filter(|run| run.len() <= 64).unwrap_or_default();
    String::from_utf8_lossy(run).into_owned()
}

/// What a judge says of a connection that may stay.
pub struct Admission {
    /// The name under which [`Links::reach`] finds the holder.
    pub holder: String,
    /// Resolves when the admission ends; the connection is cut then.
    pub until: BoxFuture<'static, ()>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

/// The entrance for links at a listener; given to [`crate::Listener::with_links`].
#[derive(Clone)]
pub struct Door {
    verifier: Arc<dyn ClientCertVerifier>,
    judge: Arc<dyn Judge>,
    links: Links,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

/// Which side makes the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The side that dialled.
    Forward,
    /// The side that was dialled.
    Reversed,
}

/// A connection that was let in as a link.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) way: Way,
    pub(crate) admission: Admission,
    pub(crate) links: Links,
}

impl Door {
    /// Makes a door for holders whose certificates these authorities (PEM) signed. Reversed connections that come
    /// in gather in `links`.
    ///
    /// # Errors
    /// Invalid when an authority cannot be read.
    pub fn new(authorities: &str, judge: Arc<dyn Judge>, links: Links) -> Result<Self, Error> {
        let roots = Arc::new(tls::roots(authorities)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, tls::provider()).build();
        let verifier = verifier.map_err(|fault| Error::Material {
            what: "link authorities",
            fault: fault.to_string(),
        })?;
        Ok(Self {
            verifier,
            judge,
            links,
        })
    }

    /// The settings for this hello where it asks for a link: those of the listener, with the question for a
    /// certificate. Each connection proves itself anew, so nothing is there to resume.
    pub(crate) fn settings(
        &self,
        hello: &ClientHello<'_>,
        listener: &ServerConfig,
    ) -> io::Result<Option<Arc<ServerConfig>>> {
        let asks = hello
            .alpn()
            .is_some_and(|mut names| names.any(|name| name == FORWARD || name == REVERSED));
        if !asks {
            return Ok(None);
        }
        let builder = ServerConfig::builder_with_provider(tls::provider()).with_protocol_versions(&[&TLS13]);
        let mut settings = builder
            .map_err(io::Error::other)?
            .with_client_cert_verifier(Arc::clone(&self.verifier))
            .with_cert_resolver(Arc::clone(&listener.cert_resolver));
        settings.alpn_protocols = vec![FORWARD.to_vec(), REVERSED.to_vec()];
        settings.send_tls13_tickets = 0;
        Ok(Some(Arc::new(settings)))
    }

    /// Asks the judge about a connection whose handshake is done.
    ///
    /// `None` when the connection is no link; an error when it is one and may not be.
    pub(crate) async fn enter(
        &self,
        tls: &TlsStream<TcpStream>,
        peer: &PeerInfo,
        run: String,
    ) -> io::Result<Option<Entrance>> {
        let way = match tls.get_ref().1.alpn_protocol() {
            Some(FORWARD) => Way::Forward,
            Some(REVERSED) => Way::Reversed,
            Some(_) | None => return Ok(None),
        };
        let leaf = peer.certificates.first();
        let leaf = leaf.ok_or_else(|| io::Error::other("a link without a certificate"))?;
        let caller = Caller {
            leaf: leaf.clone(),
            peer: peer.clone(),
            run,
        };
        let admission = self.judge.judge(caller).await;
        let admission =
            admission.ok_or_else(|| io::Error::other("the certificate's holder is not admitted"))?;
        Ok(Some(Entrance {
            way,
            admission,
            links: self.links.clone(),
        }))
    }
}
