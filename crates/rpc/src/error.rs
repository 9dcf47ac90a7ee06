//! Everything that can fail in this crate, by the step that failed.
//!
//! What it leaves to others: the gRPC code of each kind (crate `wire`).

use std::net::SocketAddr;

use model::ErrorKind;

/// Says which step of listening, connecting or reading a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no address to listen on.
    #[error(
        "listen address `{text}` {fault}: write a port (7443, on this machine only) or an IP address and a port \
         (127.0.0.1:7443, [::1]:7443, 0.0.0.0:7443)"
    )]
    ListenAddress {
        /// The text as given, shortened to 64 characters.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A listener without TLS was asked for on an address that others can reach.
    #[error(
        "plaintext listener on `{address}` refused: what is sent there can be read and changed on the way, and \
         any program that reaches the address could drive the zone; listen on 127.0.0.1, give it TLS, or set \
         `insecure = true` for this listener to accept that"
    )]
    Plaintext {
        /// The address that was asked for.
        address: crate::ListenAddress,
    },
    /// The address cannot be taken.
    #[error("listen on `{address}`")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why the system refuses.
        source: std::io::Error,
    },
    /// A certificate, key or trust anchor cannot be read.
    #[error("read {what}: {fault}")]
    Material {
        /// What was to be read, such as `certificate chain`.
        what: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// A certificate and key do not make a TLS configuration.
    #[error("make a TLS configuration")]
    Tls {
        /// What the TLS library says.
        source: rustls::Error,
    },
    /// The text is no place to connect to.
    #[error("target `{text}` {fault}: write a host and a port, such as soke.localhost:7443")]
    Target {
        /// The text as given, shortened to 64 characters.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A channel argument cannot be used.
    #[error("channel argument `{name}` {fault}: known are {known}")]
    ChannelArgument {
        /// The name as given, shortened to 64 characters.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
        /// What may be given.
        known: &'static str,
    },
    /// The service config of a channel cannot be used.
    #[error("read channel argument `grpc.service_config`: {fault}")]
    ServiceConfig {
        /// What is wrong with it.
        fault: String,
    },
    /// The system gives no thread for a channel whose calls are waited for.
    #[error("start the thread of a channel")]
    Thread {
        /// Why the system refuses.
        source: std::io::Error,
    },
    /// The connection cannot be made.
    #[error("connect to `{target}`")]
    Connect {
        /// Where to.
        target: String,
        /// What stood in the way.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The `authorization` metadata is there and cannot be used.
    #[error("authorization metadata {fault}: send one entry `Bearer <token>`")]
    Authorization {
        /// What is wrong with it; never any part of its value.
        fault: &'static str,
    },
}

impl Error {
    /// The kind of failure, for whoever answers a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::ListenAddress { .. }
            | Error::Plaintext { .. }
            | Error::Material { .. }
            | Error::Tls { .. }
            | Error::ChannelArgument { .. }
            | Error::ServiceConfig { .. }
            | Error::Target { .. } => ErrorKind::Invalid,
            Error::Listen { .. } | Error::Thread { .. } => ErrorKind::Precondition,
            Error::Connect { .. } => ErrorKind::Unavailable,
            Error::Authorization { .. } => ErrorKind::Unauthenticated,
        }
    }
}

/// A text for an error message, at most 64 characters of it.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
