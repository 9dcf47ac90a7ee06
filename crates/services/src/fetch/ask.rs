//! One request to one address: connected, asked, and read up to the bound.
//!
//! What it leaves to others: who may be asked (modules `origin` and `address`), the time it has (module `fetch`).

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures::future::{Either, select};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use model::ErrorKind;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    address::{Network, is_open},
    origin::{Origin, Target},
};
use crate::{Error, manifest::MOST_BYTES};

/// Asks for a manifest.
pub(super) async fn ask(target: &Target, own: Network) -> Result<String, Error> {
    let origin = &target.origin;
    let stream = connect(origin, own).await?;
    if !origin.is_tls() {
        return exchange(target, stream).await;
    }
    let failed = |_fault| {
        unavailable(format!(
            "{origin} cannot be trusted: its certificate does not hold"
        ))
    };
    let name = ServerName::try_from(origin.host().to_owned()).map_err(|_name| Error::Source {
        why: format!("{origin} names no host"),
    })?;
    let connector = TlsConnector::from(Arc::new(trust()?));
    let stream = connector.connect(name, stream).await.map_err(failed)?;
    exchange(target, stream).await
}

/// A connection to an address of the origin that may be connected to.
async fn connect(origin: &Origin, own: Network) -> Result<TcpStream, Error> {
    let literal = origin.literal();
    let found: Vec<SocketAddr> = match literal {
        Some(address) => vec![SocketAddr::new(address, origin.port())],
        None => tokio::net::lookup_host((origin.host(), origin.port()))
            .await
            .map_err(|_fault| unavailable(format!("the name {} leads nowhere", origin.host())))?
            .collect(),
    };
    let open = |address: &&SocketAddr| is_open(address.ip(), literal.is_some(), own);
    let Some(address) = found.iter().find(open) else {
        return Err(Error::Source {
            why: format!("{origin} leads to an address that is not asked"),
        });
    };
    let connected = TcpStream::connect(address).await;
    connected.map_err(|_fault| unavailable(format!("{origin} does not answer")))
}

/// Trusts what this machine trusts.
fn trust() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_fault| unavailable("this machine's TLS cannot be used".to_owned()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn exchange<S>(target: &Target, stream: S) -> Result<String, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let origin = &target.origin;
    let lost = |_fault| unavailable(format!("{origin} broke off"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let request = Request::get(target.path.as_str())
        .header(header::HOST, origin.authority())
        .header(header::USER_AGENT, "soke")
        .header(header::ACCEPT, "*/*")
        .header(header::ACCEPT_ENCODING, "identity")
        .body(Empty::<Bytes>::new())
        .map_err(|_form| Error::Source {
            why: "the address cannot be asked".to_owned(),
        })?;
    let work = async {
        let answer = sender.send_request(request).await.map_err(lost)?;
        read(origin, answer).await
    };
    match select(std::pin::pin!(work), std::pin::pin!(connection)).await {
        Either::Left((answer, _connection)) => answer,
        // What has come before the connection ended is read.
        Either::Right((_ended, work)) => work.await,
    }
}

async fn read(origin: &Origin, answer: Response<Incoming>) -> Result<String, Error> {
    let status = answer.status();
    if status != StatusCode::OK {
        let more = if status.is_redirection() {
            ", and redirects are not followed"
        } else {
            ""
        };
        return Err(unfit(format!("{origin} answers {}{more}", status.as_u16())));
    }
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(unfit(format!("{origin} sends it compressed")));
    }
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
    let body = body.map_err(|fault| {
        if fault.is::<LengthLimitError>() {
            unfit(format!("{origin} sends more than {MOST_BYTES} bytes"))
        } else {
            unavailable(format!("{origin} broke off"))
        }
    })?;
    let text = String::from_utf8(body.to_bytes().to_vec());
    text.map_err(|_form| unfit(format!("{origin} sends something that is no text")))
}

const fn unavailable(why: String) -> Error {
    Error::Fetch {
        kind: ErrorKind::Unavailable,
        why,
    }
}

const fn unfit(why: String) -> Error {
    Error::Fetch {
        kind: ErrorKind::Precondition,
        why,
    }
}
