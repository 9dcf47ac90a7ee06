//! One connection to a zone, with the session that its calls carry.
//!
//! What it is for: finding the zone, renewing the session before it ends, and turning statuses into [`Error`].
//! What it leaves to others: what the calls are (the commands), and the transport (`rpc`).

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::ErrorKind;
use tokio::sync::Mutex;
use tonic::{Code, Request, Response, Status, metadata::MetadataValue};
use wire::soke::v1::{self, session_service_client::SessionServiceClient};

use crate::{
    Error,
    place::Listeners,
    session::{Server, Session, SessionFile},
};

/// A session is renewed when it has less than this left, in microseconds.
const RENEW_BEFORE: i64 = 30_000_000;

/// Where a client looks for a zone and for its own session.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The data folder of a zone on this machine.
    pub data: PathBuf,
    /// Whether the person named that folder: then nothing else is looked at.
    pub named: bool,
    /// The folder of the user's own settings, such as `~/.config`.
    pub settings: Option<PathBuf>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

/// Which zone is meant and where its session lies.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    pub(crate) address: String,
    server_name: Option<String>,
    trust: rpc::Trust,
    file: SessionFile,
    /// The data folder of a zone on this machine.
    data: Option<PathBuf>,
    /// Set for a zone on another machine.
    server: Option<Server>,
}

impl Zone {
    /// The zone in the data folder, or the one on another machine that the user has signed in to.
    pub(crate) fn find(surroundings: &Surroundings) -> Result<Zone, Error> {
        let data = &surroundings.data;
        if surroundings.named || Listeners::path(data).exists() {
            return Zone::here(data);
        }
        let settings = surroundings.settings.as_deref();
        let saved = match settings.map(SessionFile::in_settings) {
            Some(file) => file
                .read()?
                .and_then(|session| session.server)
                .map(|server| (file, server)),
            None => None,
        };
        match saved {
            Some((file, server)) => Zone::elsewhere(server, file),
            None => Zone::here(data),
        }
    }

    /// The zone whose server runs on this data folder.
    pub(crate) fn here(data: &Path) -> Result<Zone, Error> {
        let listeners = Listeners::read(data)?;
        let address = listeners
            .native()
            .ok_or(Error::Answer("run/listeners.json names no native listener"))?;
        let path = Listeners::ca_path(data);
        let pem = std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
        Ok(Zone {
            address: reachable(address).to_string(),
            server_name: Some(listeners.zone_host),
            trust: rpc::Trust::Authority { pem },
            file: SessionFile::in_data_folder(data),
            data: Some(data.to_owned()),
            server: None,
        })
    }

    /// The same, with the session of somebody else than the folder's owner.
    pub(crate) fn here_as(data: &Path, name: &str) -> Result<Zone, Error> {
        Ok(Zone {
            file: SessionFile::of_person(data, name),
            ..Zone::here(data)?
        })
    }

    /// A zone on another machine, known by its CA's fingerprint.
    pub(crate) fn elsewhere(server: Server, file: SessionFile) -> Result<Zone, Error> {
        let pin = server
            .ca_fingerprint
            .parse()
            .map_err(|fault: rpc::Error| Error::Usage {
                what: fault.to_string(),
                want: "the fingerprint that `soke up` prints".to_owned(),
            })?;
        Ok(Zone {
            address: server.address.clone(),
            server_name: None,
            trust: rpc::Trust::Fingerprint(pin),
            file,
            data: None,
            server: Some(server),
        })
    }
}

/// An address bound to every interface is reached over loopback.
fn reachable(address: std::net::SocketAddr) -> std::net::SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// A connection. Clones share it and the session.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) zone: Zone,
    channel: rpc::Channel,
    session: Arc<Mutex<Option<Session>>>,
}

impl Client {
    /// Connects to the zone.
    pub(crate) async fn open(surroundings: &Surroundings) -> Result<Client, Error> {
        Client::to(Zone::find(surroundings)?).await
    }

    /// Connects to a zone already found.
    pub(crate) async fn to(zone: Zone) -> Result<Client, Error> {
        let channel = connect(&zone).await?;
        let session = zone.file.read()?;
        Ok(Client {
            zone,
            channel,
            session: Arc::new(Mutex::new(session)),
        })
    }

    /// Connects once more, to wherever the zone stands now.
    pub(crate) async fn anew(&self) -> Result<Client, Error> {
        match &self.zone.data {
            Some(data) => {
                let file = self.zone.file.clone();
                Client::to(Zone {
                    file,
                    ..Zone::here(data)?
                })
                .await
            }
            None => Client::to(self.zone.clone()).await,
        }
    }

    /// Where other machines reach the zone: as the zone says, or as this client does from another machine.
    pub(crate) async fn reached_by_others(&self) -> Result<String, Error> {
        if self.zone.data.is_none() {
            return Ok(self.zone.address.clone());
        }
        let told = crate::status::status(self).await?.address;
        Ok(if told.is_empty() {
            self.zone.address.clone()
        } else {
            told
        })
    }

    /// The connection, for a generated client.
    pub(crate) fn channel(&self) -> rpc::Channel {
        self.channel.clone()
    }

    /// Makes one call with the session's bearer and gives its answer.
    pub(crate) async fn call<M, A, F, S>(&self, message: M, send: S) -> Result<A, Error>
    where
        S: FnOnce(Request<M>) -> F,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let request = self.signed(message).await?;
        let answer = send(request).await.map_err(|status| self.refused(&status))?;
        Ok(answer.into_inner())
    }

    /// Makes one call without a session.
    pub(crate) async fn call_unsigned<M, A, F, S>(&self, message: M, send: S) -> Result<A, Error>
    where
        S: FnOnce(Request<M>) -> F,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let answer = send(Request::new(message))
            .await
            .map_err(|status| self.refused(&status))?;
        Ok(answer.into_inner())
    }

    /// A status as this crate's error.
    pub(crate) fn refused(&self, status: &Status) -> Error {
        // A status with a source was made on this side, by a connection that broke.
        if status.code() == Code::Unavailable || std::error::Error::source(status).is_some() {
            return Error::Unreachable {
                address: self.zone.address.clone(),
                reason: status.message().to_owned(),
            };
        }
        Error::Refused {
            kind: kind_of(status.code()),
            message: status.message().to_owned(),
        }
    }

    /// Keeps a fresh session, in memory and in its file.
    pub(crate) async fn keep(&self, user_name: String, tokens: v1::Tokens) -> Result<(), Error> {
        let session = Session {
            user_name,
            access_expires_at: micros(tokens.access_expires_at.as_ref()),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            server: self.zone.server.clone(),
        };
        self.zone.file.write(&session)?;
        *self.session.lock().await = Some(session);
        Ok(())
    }

    /// Forgets the session, in memory and in its file.
    pub(crate) async fn forget(&self) -> Result<(), Error> {
        *self.session.lock().await = None;
        self.zone.file.remove()
    }

    /// The name of the user who is signed in here.
    pub(crate) async fn user_name(&self) -> Option<String> {
        let session = self.session.lock().await;
        session.as_ref().map(|session| session.user_name.clone())
    }

    async fn signed<M>(&self, message: M) -> Result<Request<M>, Error> {
        let mut session = self.session.lock().await;
        let mut current = session.clone().ok_or(Error::NotSignedIn)?;
        if is_old(&current) {
            current = self.renew(&current).await?;
            *session = Some(current.clone());
        }
        let bearer = format!("Bearer {}", current.access_token);
        drop(session);
        let mut value: MetadataValue<_> = bearer
            .parse()
            .map_err(|_not_ascii| Error::Answer("the saved token is no token"))?;
        value.set_sensitive(true);
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }

    /// Renews the session, unless another client has done so meanwhile.
    async fn renew(&self, old: &Session) -> Result<Session, Error> {
        let lock = self.zone.file.lock().await?;
        let saved = self.zone.file.read()?.ok_or(Error::NotSignedIn)?;
        if saved.refresh_token != old.refresh_token && !is_old(&saved) {
            return Ok(saved);
        }
        let message = v1::RefreshRequest {
            refresh_token: saved.refresh_token.clone(),
        };
        let mut sessions = SessionServiceClient::new(self.channel());
        let answer = self
            .call_unsigned(message, |request| sessions.refresh(request))
            .await;
        let tokens = match answer {
            Ok(answer) => answer.tokens.ok_or(Error::Answer("a renewal without tokens"))?,
            Err(Error::Refused {
                kind: ErrorKind::Unauthenticated,
                ..
            }) => {
                self.zone.file.remove()?;
                return Err(Error::NotSignedIn);
            }
            Err(other) => return Err(other),
        };
        let renewed = Session {
            access_expires_at: micros(tokens.access_expires_at.as_ref()),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            ..saved
        };
        self.zone.file.write(&renewed)?;
        drop(lock);
        Ok(renewed)
    }
}

async fn connect(zone: &Zone) -> Result<rpc::Channel, Error> {
    let unreachable = |fault: rpc::Error| Error::Unreachable {
        address: zone.address.clone(),
        reason: model::chain(&fault),
    };
    let mut target: rpc::Target = zone.address.parse().map_err(unreachable)?;
    if let Some(name) = &zone.server_name {
        target = target.with_server_name(name).map_err(unreachable)?;
    }
    rpc::connect(&target, &zone.trust).await.map_err(unreachable)
}

fn is_old(session: &Session) -> bool {
    jiff::Timestamp::now().as_microsecond() > session.access_expires_at - RENEW_BEFORE
}

fn micros(instant: Option<&prost_types::Timestamp>) -> i64 {
    instant.map_or(0, |instant| {
        instant.seconds * 1_000_000 + i64::from(instant.nanos) / 1_000
    })
}

/// The kind of failure that a code stands for, the way back from `wire::code`.
const fn kind_of(code: Code) -> ErrorKind {
    match code {
        Code::InvalidArgument | Code::OutOfRange => ErrorKind::Invalid,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::PermissionDenied => ErrorKind::Denied,
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::Exists,
        Code::FailedPrecondition => ErrorKind::Precondition,
        Code::Aborted | Code::Cancelled => ErrorKind::Conflict,
        Code::ResourceExhausted => ErrorKind::Exhausted,
        Code::Unavailable => ErrorKind::Unavailable,
        Code::DeadlineExceeded => ErrorKind::Deadline,
        Code::Unimplemented => ErrorKind::Unimplemented,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => ErrorKind::Internal,
    }
}
