//! The handshake: GET `/greet` with its types 0 to 3.
//!
//! Section 3 of the contract has the texts, with the document's where it speaks. What it leaves to others: every
//! judgement (`access`) and deploying ([`Services`](crate::Services)).

use access::{Actor, Handshake, Peer, SignedInByCookie, UserActor, WalletAddress};
use http::{Response, StatusCode, request};
use model::{ErrorKind, Span};
use rpc::PeerInfo;
use tonic::body::Body;

use crate::{
    Door, NotDeployed, Origin, answer, cookie, process::log, query::Query, refusal, target::Targets,
};

const OK: StatusCode = StatusCode::OK;
const BAD: StatusCode = StatusCode::BAD_REQUEST;
const OURS: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

const NOT_VERIFIED: &str = "Failed to verify your account";
const NOT_AUTHORIZED: &str = "user is not authorized";

impl Door {
    /// Answers one step of the handshake.
    pub(crate) async fn greet(&self, head: &request::Parts, info: &PeerInfo, peer: &Peer) -> Response<Body> {
        // A browser says so where a page of another site, or of another port here, makes it send this.
        let site = head.headers.get("sec-fetch-site").map(|site| site.as_bytes());
        if !matches!(site, None | Some(b"same-origin" | b"none")) {
            return refusal(StatusCode::FORBIDDEN, "pages of other sites may not greet");
        }
        let query = Query::of(head.uri.query());
        match query.first("type").as_str() {
            // There are no leases yet, so no text names one that has ended.
            "0" => answer::msg(OK, "[ACK] the lease is acceptable"),
            "1" => self.announce(&query.first("input"), peer).await,
            "2" => self.verify(head, &query, info.tls, peer).await,
            "3" => self.deploy(head, &query.first("input"), peer).await,
            _other => answer::err(BAD, "unsupported msg type"),
        }
    }

    /// Type 1: a wallet is about to sign in.
    async fn announce(&self, input: &str, peer: &Peer) -> Response<Body> {
        let Ok(address) = input.parse() else {
            return refusal(BAD, "no user address is provided");
        };
        match self.access.announce_wallet(address, peer).await {
            Ok(()) => answer::msg(OK, &format!("[ACK] {input} authorized ok")),
            Err(error) => {
                log(&error);
                let status = if error.kind() == ErrorKind::Exhausted {
                    StatusCode::TOO_MANY_REQUESTS
                } else {
                    OURS
                };
                refusal(status, "failed to authorized")
            }
        }
    }

    /// Type 2: a wallet has signed the time, and gets a cookie.
    async fn verify(
        &self,
        head: &request::Parts,
        query: &Query<'_>,
        tls: bool,
        peer: &Peer,
    ) -> Response<Body> {
        let wanted = if self.targets.is_some() {
            believed(query)
        } else {
            handshake(query)
        };
        let Some(wanted) = wanted else {
            return refusal(BAD, NOT_VERIFIED);
        };
        let (address, signed_in) = match wanted {
            Wanted::Proven(handshake) => {
                let address = Some(handshake.address);
                let name = cookie::name(address);
                let opened = self.access.sign_in_by_handshake(&handshake, &name, peer).await;
                (address, opened)
            }
            Wanted::Believed(address) => {
                let name = cookie::name(address);
                (address, self.access.sign_in_believed(address, &name, peer).await)
            }
        };
        match signed_in {
            Ok(SignedInByCookie {
                cookie: secret,
                expires_at,
                ..
            }) => {
                let mut response = answer::msg(OK, "[ACK] already authorized");
                // Up to the next second, as the clock went on since the session was opened.
                let left = expires_at + Span::from_micros(999_999) - self.clock.now();
                let (name, life) = (cookie::name(address), left.secs());
                cookie::give(response.headers_mut(), &head.headers, &name, &secret, life, tls);
                response
            }
            Err(error) => {
                log(&error);
                let ours = matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable);
                refusal(if ours { OURS } else { BAD }, NOT_VERIFIED)
            }
        }
    }

    /// Type 3: a caller with a cookie deploys.
    async fn deploy(&self, head: &request::Parts, input: &str, peer: &Peer) -> Response<Body> {
        let user = match self.caller(head, peer).await {
            Ok(user) => user,
            Err(error) => {
                log(&error);
                return refusal(BAD, NOT_AUTHORIZED);
            }
        };
        if input.is_empty() {
            return refusal(BAD, "empty deployment");
        }
        let deployed = match &self.targets {
            Some(targets) => self.aim(targets, &user, input),
            None => self.services.deploy(&Actor::User(user), peer, input).await,
        };
        match deployed {
            Ok(()) => answer::msg(OK, "[ACK] deployed ok"),
            Err(NotDeployed::NotAllowed) => refusal(BAD, NOT_AUTHORIZED),
            Err(NotDeployed::Failed(reason)) => refusal(OURS, &format!("Failed to deploy: {reason}")),
        }
    }

    /// In a zone for tests a deployment is a host to forward to.
    fn aim(&self, targets: &Targets, user: &UserActor, input: &str) -> Result<(), NotDeployed> {
        let origin = Origin::read(input).map_err(|reason| NotDeployed::Failed(reason.to_owned()))?;
        if targets.set(user.id, origin, self.clock.now()) {
            Ok(())
        } else {
            Err(NotDeployed::Failed(
                "there is no room for another user".to_owned(),
            ))
        }
    }
}

/// Who wants to sign in, and how.
enum Wanted {
    Proven(Handshake),
    Believed(Option<WalletAddress>),
}

/// The signed time of a wallet; none where the parameters cannot be that.
fn handshake(query: &Query<'_>) -> Option<Wanted> {
    let signature = query.first("sig");
    let digits = signature
        .strip_prefix("0x")
        .or_else(|| signature.strip_prefix("0X"))?;
    Some(Wanted::Proven(Handshake {
        time: query.first("input"),
        address: query.first("addr").parse().ok()?,
        signature: hex::decode(digits).ok()?,
    }))
}

/// In a zone for tests: whoever is named, with any input and no signature.
fn believed(query: &Query<'_>) -> Option<Wanted> {
    let address = query.first("addr");
    if address.is_empty() {
        return Some(Wanted::Believed(None));
    }
    address
        .parse()
        .ok()
        .map(|address| Wanted::Believed(Some(address)))
}
