//! The join, as the machine does it: keys first, then the server's proof, then the token.
//!
//! What it leaves to others: what the server makes of it (`nodes`).

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{ErrorKind, Timestamp};
use nodes::TokenText;
use rpc::{Fingerprint, Target, Trust};
use tasks::Clock;
use wire::soke::agent::v1::{self, node_service_client::NodeServiceClient};

use super::{
    Error, Member,
    keys::Keys,
    place::{self, Membership, Record},
};

/// What somebody who runs a machine was given to join with.
pub struct Invitation {
    /// Host and port of the zone's server.
    pub server: String,
    /// The token.
    pub token: access::Secret,
    /// The name that the machine shall have.
    pub name: String,
}

/// Joins the zone, and keeps what came of it in the file at `path`. A join that was cut off goes on with the same
/// keys, and needs no new token for 15 minutes.
///
/// # Errors
/// `Invalid` for what is no token, server or name; `Exists` where this machine is a node already, or the name is
/// taken; `Unauthenticated` for a token that is not good; `Unavailable` where the server cannot be reached or is not
/// the one that the token is for: the token was not sent then.
pub async fn join(path: &Path, invitation: &Invitation, clock: &Clock) -> Result<Member, Error> {
    let text = invitation.token.expose();
    let token: TokenText = text.parse().map_err(Error::Token)?;
    let known = place::load(path)?;
    if let Some(member) = known.as_ref().and_then(Record::member) {
        return Err(Error::Member { name: member.name });
    }
    let again = known.filter(|known| {
        known.token.as_deref() == Some(text)
            && known.name == invitation.name
            && known.server == invitation.server
    });
    let record = match again {
        Some(record) => record,
        None => Record {
            server: invitation.server.clone(),
            authority: token.fingerprint().to_owned(),
            name: invitation.name.clone(),
            token: Some(text.to_owned()),
            keys: Keys::draw()?,
            membership: None,
        },
    };
    let target: Target = record.server.parse().map_err(Error::Reach)?;
    place::save(path, &record)?;
    ask(path, record, &target, clock).await
}

/// Asks the server, and keeps its answer.
async fn ask(path: &Path, mut record: Record, target: &Target, clock: &Clock) -> Result<Member, Error> {
    let authority: Fingerprint = record.authority.parse().map_err(Error::Reach)?;
    let public = record.keys.public()?;
    let channel = rpc::connect(target, &Trust::Fingerprint(authority)).await;
    let mut client = NodeServiceClient::new(channel.map_err(Error::Reach)?);
    let request = v1::JoinRequest {
        token: record.token.clone().unwrap_or_default(),
        name: record.name.clone(),
        certificate_request: public.certificate_request,
        device_key: public.device,
        overlay_key: public.overlay,
    };
    let answer = match client.join(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            let status = Box::new(status);
            let refused = Error::Refused { step: "join", status };
            if is_final(refused.kind()) {
                place::remove(path)?;
            }
            return Err(refused);
        }
    };
    let node = answer.node.ok_or(Error::Answer { what: "node" })?;
    let certificate = answer.certificate.ok_or(Error::Answer { what: "certificate" })?;
    let v1::Node {
        node_id,
        name: _,
        address,
        peer_address,
    } = node;
    record.membership = Some(Membership {
        node_id,
        address,
        peer_address,
        chain: encoded(&certificate),
        given_at: clock.now(),
        ends_at: Timestamp::from_micros(certificate.ends_at_micros),
    });
    record.token = None;
    place::save(path, &record)?;
    record.member().ok_or(Error::Answer { what: "node" })
}

/// The chain as it is kept.
pub(super) fn encoded(certificate: &v1::Certificate) -> Vec<String> {
    certificate.chain.iter().map(|one| STANDARD.encode(one)).collect()
}

/// Tells whether the server has refused for good, so that these keys are of no use.
fn is_final(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Invalid | ErrorKind::Unauthenticated | ErrorKind::Denied | ErrorKind::Exists
    )
}
