//! The dialling side: where to, whom to trust there, and which certificate to show.
//!
//! What it leaves to others: what is called (generated clients) and what is answered (`outward`).

use std::{io, sync::Arc, time::Duration};

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use uuid::Uuid;

use super::{FORWARD, Holder, REVERSED, RUN};
use crate::{
    Channel, ChannelArgs, Error, Target, Trust,
    connect::{Dialer, first_of, house},
};

/// How fast a link notices that the other side is gone, and how it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest time that a connection may take to stand, TLS included: 10 s.
    pub connect: Duration,
    /// How often the other side is asked whether it lives: 10 s.
    pub ping_every: Duration,
    /// How long its answer may take: 5 s.
    pub ping_wait: Duration,
    /// The wait before the first try to connect again: 200 ms.
    pub first_wait: Duration,
    /// The longest wait before a try: 15 s.
    pub longest_wait: Duration,
    /// A connection that lasted this long makes the next wait the first one again: 10 s.
    pub steady: Duration,
    /// How long running calls may take to end at a stop: 3 s.
    pub drain: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            ping_every: Duration::from_secs(10),
            ping_wait: Duration::from_secs(5),
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(15),
            steady: Duration::from_secs(10),
            drain: Duration::from_secs(3),
        }
    }
}

/// Says how links are dialled. Clones share the certificate.
#[derive(Debug, Clone)]
pub struct Dial {
    pub(super) target: Target,
    pub(super) pace: Pace,
    forward: Arc<ClientConfig>,
    reversed: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Dial {
    /// Takes what all connections of a link share.
    ///
    /// # Errors
    /// Invalid when the trust or the server's name cannot be used; a link is never plaintext.
    pub fn new(target: Target, trust: &Trust, holder: &Holder, pace: Pace) -> Result<Self, Error> {
        let run = [RUN, Uuid::new_v4().simple().to_string().as_bytes()].concat();
        let settings = |protocol| -> Result<Arc<ClientConfig>, Error> {
            let mut config = trust.config_with(protocol, Some(Arc::new(holder.clone())))?;
            config.alpn_protocols.push(run.clone());
            Ok(Arc::new(config))
        };
        let (forward, reversed) = (settings(FORWARD)?, settings(REVERSED)?);
        Ok(Self {
            name: target.server_name()?,
            target,
            pace,
            forward,
            reversed,
        })
    }

    /// A channel over which this side calls the other. It connects at its first call, and again when it must.
    #[must_use]
    pub fn channel(&self) -> Channel {
        let dialer = Dialer::new(
            &self.target,
            Arc::clone(&self.forward),
            self.name.clone(),
            FORWARD,
        );
        let args = ChannelArgs {
            keepalive_time: Some(self.pace.ping_every),
            keepalive_timeout: self.pace.ping_wait,
            keepalive_without_calls: true,
            first_wait: self.pace.first_wait,
            longest_wait: self.pace.longest_wait,
            ..house()
        };
        Channel::over(dialer, &self.target, Vec::new(), args)
    }

    /// Opens one connection over which the other side will call this one.
    pub(super) async fn open_reversed(&self) -> io::Result<TlsStream<TcpStream>> {
        let open = async {
            let addresses: Vec<_> = lookup_host(self.target.address()).await?.collect();
            let tcp = first_of(&addresses).await?;
            tcp.set_nodelay(true)?;
            let connector = TlsConnector::from(Arc::clone(&self.reversed));
            let tls = connector.connect(self.name.clone(), tcp).await?;
            if tls.get_ref().1.alpn_protocol() != Some(REVERSED) {
                return Err(io::Error::other("the server takes no links"));
            }
            Ok(tls)
        };
        timeout(self.pace.connect, open).await?
    }
}
