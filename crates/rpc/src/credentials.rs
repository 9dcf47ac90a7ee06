//! Credentials of a channel and of its calls, and the rule that holds between them: what proves a caller goes only where
//! nobody else can read it.
//!
//! What it leaves to others: sending (`channel`), and what the other side makes of it. The terms are those of the gRPC
//! document ("Authentication"): channel credentials, call credentials, composite ones of both kinds.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, Uri, header::AUTHORIZATION};
use model::ErrorKind;
use tonic::{Code, Status, metadata::MetadataMap};
use zeroize::Zeroizing;

use crate::{
    Error, SecurityLevel, Target, Trust,
    call::{extend, kept},
    connect::Dialer,
    link::Holder,
};

/// What a call credential sees of the call that it goes along with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallContext {
    /// Scheme, host and service: `https://host:port/package.Service`, without the port where it is TLS's own, 443.
    pub service_url: String,
    /// The method's name within its service.
    pub method: String,
    /// The host alone.
    pub host: String,
}

/// Metadata that proves who calls, made for each call. It may wait and ask others.
#[tonic::async_trait]
pub trait CallCredentials: fmt::Debug + Send + Sync {
    /// Gives what goes along with this call. The names that are the protocol's own are left out of it.
    ///
    /// # Errors
    /// The status that the call ends with; nothing of it is sent then.
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status>;

    /// The least security of a channel that this may go over. Unless said otherwise: nobody on the way can read it.
    fn minimum_security(&self) -> SecurityLevel {
        SecurityLevel::Private
    }
}

/// What a channel does to be safe, and what goes along with every call over it.
#[derive(Debug, Clone)]
pub struct ChannelCredentials {
    kind: Kind,
    calls: Vec<Arc<dyn CallCredentials>>,
}

#[derive(Debug, Clone)]
enum Kind {
    Insecure,
    Local,
    Tls(Trust),
    Mutual(Trust, Holder),
}

impl ChannelCredentials {
    /// No encryption.
    #[must_use]
    pub const fn insecure() -> Self {
        Self::of(Kind::Insecure)
    }

    /// No encryption, and only to programs on this machine.
    #[must_use]
    pub const fn local() -> Self {
        Self::of(Kind::Local)
    }

    /// TLS.
    #[must_use]
    pub const fn tls(trust: Trust) -> Self {
        Self::of(Kind::Tls(trust))
    }

    /// TLS with a certificate of one's own; swapping it changes what the next connection shows.
    #[must_use]
    pub const fn mutual_tls(trust: Trust, holder: Holder) -> Self {
        Self::of(Kind::Mutual(trust, holder))
    }

    const fn of(kind: Kind) -> Self {
        let calls = Vec::new();
        Self { kind, calls }
    }

    /// The same with call credentials that go along with every call: composite channel credentials.
    #[must_use]
    pub fn with(mut self, credentials: impl CallCredentials + 'static) -> Self {
        self.calls.push(Arc::new(credentials));
        self
    }

    pub(crate) fn calls(&self) -> &[Arc<dyn CallCredentials>] {
        &self.calls
    }

    pub(crate) fn dialer(&self, target: &Target) -> Result<Dialer, Error> {
        let (trust, shown) = match &self.kind {
            Kind::Insecure => return Ok(Dialer::plain(target, false)),
            Kind::Local => return Ok(Dialer::plain(target, true)),
            Kind::Tls(trust) => (trust, None),
            Kind::Mutual(trust, holder) => (trust, Some(Arc::new(holder.clone()) as _)),
        };
        let config = trust.config_with(b"h2", shown)?;
        Ok(Dialer::new(
            target,
            Arc::new(config),
            target.server_name()?,
            b"h2",
        ))
    }
}

/// Several call credentials as one: all their metadata is sent, in their order, none in place of another. The first
/// that fails fails the call.
#[derive(Debug, Clone)]
pub struct CompositeCallCredentials(Vec<Arc<dyn CallCredentials>>);

impl CompositeCallCredentials {
    /// Takes them in their order.
    #[must_use]
    pub const fn new(parts: Vec<Arc<dyn CallCredentials>>) -> Self {
        Self(parts)
    }
}

#[tonic::async_trait]
impl CallCredentials for CompositeCallCredentials {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        let mut all = HeaderMap::new();
        for part in &self.0 {
            append(&mut all, part.metadata(call).await?);
        }
        Ok(MetadataMap::from_headers(all))
    }

    fn minimum_security(&self) -> SecurityLevel {
        let parts = self.0.iter().map(|part| part.minimum_security());
        parts.max().unwrap_or(SecurityLevel::None)
    }
}

/// An access token, sent as `authorization: Bearer <token>` to the hosts that may have it and to no other. It is never
/// printed, and its memory is cleared when it goes.
pub struct AccessToken {
    token: Zeroizing<String>,
    hosts: Vec<String>,
}

impl AccessToken {
    /// Takes a token and the names or addresses of the hosts that may see it, without ports.
    #[must_use]
    pub fn new(token: impl Into<String>, hosts: &[&str]) -> Self {
        Self {
            token: Zeroizing::new(token.into()),
            hosts: hosts.iter().map(|host| bare(host).to_ascii_lowercase()).collect(),
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl CallCredentials for AccessToken {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        if !self.hosts.iter().any(|host| host == bare(&call.host)) {
            return Err(refused("this access token is not for that host"));
        }
        let text = Zeroizing::new(format!("Bearer {}", &*self.token));
        let value = HeaderValue::from_str(&text);
        let mut value = value.map_err(|_bytes| refused("the access token has bytes that no header has"))?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value);
        Ok(MetadataMap::from_headers(headers))
    }
}

/// What goes along with a call to `uri`, all of it or nothing. Asked before anything connects.
pub(crate) async fn metadata(
    parts: impl Iterator<Item = &Arc<dyn CallCredentials>> + Clone,
    security: SecurityLevel,
    uri: &Uri,
) -> Result<HeaderMap, Status> {
    let mut all = HeaderMap::new();
    if parts.clone().any(|part| part.minimum_security() > security) {
        return Err(refused(
            "these call credentials do not go over a channel on which others could read them",
        ));
    }
    let mut call = None;
    for part in parts {
        let call = call.get_or_insert_with(|| CallContext::of(uri));
        append(&mut all, part.metadata(call).await.map_err(failed)?);
    }
    Ok(all)
}

/// What a call ends with whose credentials failed: never a success.
fn failed(status: Status) -> Status {
    if status.code() == Code::Ok {
        return wire::status(
            ErrorKind::Internal,
            "these call credentials failed with the status OK",
        );
    }
    status
}

impl CallContext {
    fn of(uri: &Uri) -> Self {
        let (service, method) = uri.path().rsplit_once('/').unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        // As gRPC writes it: tokens are made for the name without the port that goes without saying.
        let authority = match scheme {
            "https" => authority.strip_suffix(":443").unwrap_or(authority),
            _ => authority,
        };
        Self {
            service_url: format!("{scheme}://{authority}{service}"),
            method: method.to_owned(),
            host: uri.host().unwrap_or_default().to_ascii_lowercase(),
        }
    }
}

/// A host without the brackets that an IPv6 address has before a port.
fn bare(host: &str) -> &str {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host)
}

fn append(all: &mut HeaderMap, more: MetadataMap) {
    extend(all, &kept(more));
}

fn refused(text: &'static str) -> Status {
    wire::status(ErrorKind::Unauthenticated, text)
}
