//! What the calls do: who makes them, what they may, and what they are told.
//!
//! What it leaves to others: every rule (`access`, `nodes`), and how an answer is numbered (`numbering`).

use access::{
    Access, Action, Actor, CertificateHolder, NodeActor, NodePermit, Peer, Permit, Secret, Subject,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use caller::{Callers, fault};
use model::Span;
use nodes::{Leave, List, MakeToken, Node, Registered, Registration, Remove, State, TokenWish};
use rpc::PeerInfo;
use tonic::{Extensions, Request, Response, Status, metadata::MetadataMap};
use wire::pb;

use crate::{
    Numbering, Presence,
    answer::{Coded, NO_BOOTSTRAP_TOKEN, NO_TOKEN},
};

/// What HelloWorld answers, whatever it is told.
const HELLO: &str = "hello,this wanna";
/// The life of a bootstrap token that asks for none, in minutes.
const LIFE_MINUTES: i64 = 10;
/// The word, spelt as LiteKube spells it, for the machine on which the server itself stands.
const SERVER_WORD: &str = "reserverd";
/// How the names of machines begin that were registered here.
const NAME_BEGINS: &str = "lk";

/// A machine is not connected (contract on the control API, section 5).
const IDLE: i32 = -1;
/// It was heard of a moment ago, and the link back to it does not stand yet.
const INIT: i32 = 1;
/// It is connected.
const CONNECTED: i32 = 3;

/// Whom the two certificates of a machine name (contract, section 6).
const SUBJECTS: [(&str, &str); 2] = [
    ("lknm:register", "network-controller-grpc-client"),
    ("lknm:join", "network-controller-client"),
];

/// What clients are told of the doors.
pub(crate) struct Told {
    pub(crate) host: String,
    pub(crate) bootstrap_port: u16,
    pub(crate) control_port: u16,
    pub(crate) network_port: u16,
    pub(crate) numbering: Numbering,
    pub(crate) token_uses: u32,
}

/// Where both services take their calls.
pub(crate) struct Desk {
    callers: Callers,
    nodes: nodes::Handle,
    presence: Presence,
    stranger: Option<Actor>,
    told: Told,
}

/// Who calls.
enum Caller {
    User(Actor),
    Node(NodeActor),
}

/// What is known of a machine's connection.
struct Connection {
    state: i32,
    address: String,
}

/// An answer, or the refusal of its caller.
pub(crate) type Answered<T> = Result<Response<T>, Status>;

impl Desk {
    pub(crate) fn new(
        access: Access,
        nodes: nodes::Handle,
        presence: Presence,
        stranger: Option<Actor>,
        told: Told,
    ) -> Self {
        Self {
            callers: Callers::new(access, "litekube"),
            nodes,
            presence,
            stranger,
            told,
        }
    }

    pub(crate) async fn hello(
        &self,
        request: Request<pb::HelloWorldRequest>,
    ) -> Answered<pb::HelloWorldResponse> {
        let (metadata, extensions, _text) = request.into_parts();
        self.caller(&metadata, &extensions).await?;
        let thanks_text = HELLO.to_owned();
        Ok(Response::new(pb::HelloWorldResponse { thanks_text }))
    }

    /// Tells how the zone's part behind these doors is, to whoever has a right to be here.
    pub(crate) async fn control_health(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Answered<pb::HealthCheckResponse> {
        let (metadata, extensions, _empty) = request.into_parts();
        self.caller(&metadata, &extensions).await?;
        self.health().await
    }

    pub(crate) async fn health(&self) -> Answered<pb::HealthCheckResponse> {
        let Coded { code, .. } = Coded::either(self.nodes.check().await).map_err(|status| *status)?;
        Ok(Response::new(pb::HealthCheckResponse { code }))
    }

    pub(crate) async fn make_token(
        &self,
        request: Request<pb::GetBootStrapTokenRequest>,
    ) -> Answered<pb::GetBootStrapTokenResponse> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = match self.caller(&metadata, &extensions).await? {
            (Caller::User(actor), peer) => self.permit::<MakeToken>(&actor, &peer).await?,
            (Caller::Node(node), peer) => {
                // Refused by the table of roles, with its row in the audit trail.
                self.permit_node::<MakeToken>(&node, &peer).await?;
                return Err(Status::permission_denied("machines make no tokens"));
            }
        };
        let minutes = match message.expire_time {
            0 => LIFE_MINUTES,
            minutes => minutes,
        };
        let wish = TokenWish {
            uses: self.told.token_uses,
            life: Some(Span::from_micros(minutes.saturating_mul(60_000_000))),
            short: true,
            ..TokenWish::default()
        };
        let (coded, token) = match self.nodes.make_token(&permit, &wish).await {
            Ok((_listed, text)) => (Coded::ok(), text.expose().to_owned()),
            Err(error) => (Coded::of(error).map_err(|status| *status)?, String::new()),
        };
        // The document shows the control service's port here, the later program gives the bootstrap service's.
        let port = match self.told.numbering {
            Numbering::Later => self.told.bootstrap_port,
            Numbering::April2022 => self.told.control_port,
        };
        Ok(Response::new(pb::GetBootStrapTokenResponse {
            code: coded.code,
            message: coded.message,
            boot_strap_token: token,
            cloud_ip: self.told.host.clone(),
            port: port.to_string(),
        }))
    }

    pub(crate) async fn register(
        &self,
        request: Request<pb::GetTokenRequest>,
    ) -> Answered<pb::GetTokenResponse> {
        let (_metadata, extensions, message) = request.into_parts();
        let mut answer = pb::GetTokenResponse {
            network_server_ip: self.told.host.clone(),
            network_server_port: self.told.network_port.to_string(),
            grpc_server_ip: self.told.host.clone(),
            grpc_server_port: self.told.control_port.to_string(),
            ..pb::GetTokenResponse::default()
        };
        let coded = if message.boot_strap_token.is_empty() {
            Coded::bad(NO_BOOTSTRAP_TOKEN)
        } else {
            let subjects = SUBJECTS.iter().map(|&(organization, common_name)| Subject {
                organization: organization.to_owned(),
                common_name: common_name.to_owned(),
            });
            let wish = Registration {
                token: Secret::from(message.boot_strap_token),
                name_begins: NAME_BEGINS,
                subjects: subjects.collect(),
            };
            match self.nodes.register(&self.callers.peer(&extensions), &wish).await {
                Ok(registered) => {
                    self.fill(&mut answer, &registered);
                    Coded::ok()
                }
                Err(error) => Coded::of(error).map_err(|status| *status)?,
            }
        };
        (answer.code, answer.message) = (coded.code, coded.message);
        Ok(Response::new(answer))
    }

    /// Adds what a machine is given: each PEM text in base64, on one line. One authority signs for both services.
    fn fill(&self, answer: &mut pb::GetTokenResponse, registered: &Registered) {
        let authority = STANDARD.encode(self.callers.access().zone().ca_pem());
        registered.word.expose().clone_into(&mut answer.token);
        let mut pairs = registered.certificates.iter().map(|one| {
            let key = STANDARD.encode(one.key_pem.expose());
            (key, STANDARD.encode(one.certificate.pem()))
        });
        (answer.grpc_client_key, answer.grpc_client_cert) = pairs.next().unwrap_or_default();
        (answer.network_client_key, answer.network_client_cert) = pairs.next().unwrap_or_default();
        answer.grpc_ca_cert.clone_from(&authority);
        answer.network_ca_cert = authority;
    }

    pub(crate) async fn connection(
        &self,
        request: Request<pb::CheckConnStateRequest>,
    ) -> Answered<pb::CheckConnResponse> {
        let (metadata, extensions, message) = request.into_parts();
        let (coded, found) = self.look(&metadata, &extensions, &message.token).await?;
        Ok(Response::new(pb::CheckConnResponse {
            code: coded.code,
            message: coded.message,
            conn_state: found.state,
            bind_ip: found.address,
        }))
    }

    pub(crate) async fn address(
        &self,
        request: Request<pb::GetRegistedIpRequest>,
    ) -> Answered<pb::GetRegistedIpResponse> {
        let (metadata, extensions, message) = request.into_parts();
        let (coded, found) = self.look(&metadata, &extensions, &message.token).await?;
        Ok(Response::new(pb::GetRegistedIpResponse {
            code: coded.code,
            message: coded.message,
            ip: found.address,
        }))
    }

    /// Looks for the machine with this word: any for an administrator, its own for a machine.
    async fn look(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
        word: &str,
    ) -> Result<(Coded, Connection), Status> {
        let found = match self.caller(metadata, extensions).await? {
            (Caller::User(actor), peer) => {
                let permit = self.permit::<List>(&actor, &peer).await?;
                if word == SERVER_WORD {
                    return Ok((Coded::ok(), self.of_server()));
                }
                match word {
                    "" => None,
                    word => Some(self.nodes.find_by_word(&permit, word).await),
                }
            }
            (Caller::Node(node), peer) => {
                let permit = self.permit_node::<State>(&node, &peer).await?;
                match word {
                    "" => None,
                    word => Some(self.nodes.own_by_word(&permit, word).await),
                }
            }
        };
        let nothing = Connection {
            state: IDLE,
            address: String::new(),
        };
        match found {
            None => Ok((Coded::bad(NO_TOKEN), nothing)),
            Some(Ok(node)) => Ok((Coded::ok(), self.of(&node))),
            Some(Err(error)) => Ok((Coded::of(error).map_err(|status| *status)?, nothing)),
        }
    }

    /// The state of a machine, and its address once it was connected.
    fn of(&self, node: &Node) -> Connection {
        let is_present = (self.presence)(node.id);
        let state = match (is_present, node.is_live) {
            (true, _) => CONNECTED,
            (false, true) => INIT,
            (false, false) => IDLE,
        };
        let was_here = is_present || node.last_seen.is_some();
        let address = if was_here {
            node.address.to_string()
        } else {
            String::new()
        };
        Connection { state, address }
    }

    fn of_server(&self) -> Connection {
        Connection {
            state: CONNECTED,
            address: self.nodes.server_address().to_string(),
        }
    }

    pub(crate) async fn unregister(
        &self,
        request: Request<pb::UnRegisterRequest>,
    ) -> Answered<pb::UnRegisterResponse> {
        let (metadata, extensions, message) = request.into_parts();
        let ended = match self.caller(&metadata, &extensions).await? {
            (Caller::User(actor), peer) => {
                let permit = self.permit::<Remove>(&actor, &peer).await?;
                match message.token.as_str() {
                    "" => None,
                    word => Some(self.nodes.remove_by_word(&permit, word).await),
                }
            }
            (Caller::Node(node), peer) => {
                let permit = self.permit_node::<Leave>(&node, &peer).await?;
                match message.token.as_str() {
                    "" => None,
                    word => Some(self.nodes.leave_by_word(&permit, word).await),
                }
            }
        };
        let coded = match ended {
            None => Coded::bad(NO_TOKEN),
            Some(ended) => Coded::either(ended).map_err(|status| *status)?,
        };
        Ok(Response::new(pb::UnRegisterResponse {
            result: coded.is_ok(),
            code: coded.code,
            message: coded.message,
        }))
    }

    /// Who calls: whoever the bearer belongs to, else whoever holds the connection's certificate. Where strangers are
    /// heard, whoever shows nothing and speaks without encryption is one.
    async fn caller(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<(Caller, Peer), Status> {
        let peer = self.callers.peer(extensions);
        if let Some(actor) = self.callers.bearer(metadata, &peer).await? {
            return Ok((Caller::User(actor), peer));
        }
        let access = self.callers.access();
        let connection = PeerInfo::of(extensions);
        if let Some(shown) = connection.and_then(|connection| connection.certificates.first()) {
            let holder = access.authenticate_certificate(shown, &peer).await;
            return Ok(match holder.map_err(fault::access)? {
                CertificateHolder::User(actor) => (Caller::User(actor), peer),
                CertificateHolder::Node(node) => (Caller::Node(node), peer),
            });
        }
        match &self.stranger {
            Some(stranger) if connection.is_some_and(|connection| !connection.tls) => {
                Ok((Caller::User(stranger.clone()), peer))
            }
            Some(_) | None => Err(fault::access(access.refuse(&peer))),
        }
    }

    async fn permit<A: Action>(&self, actor: &Actor, peer: &Peer) -> Result<Permit<A>, Status> {
        let permit = self.callers.access().permit(actor, peer).await;
        permit.map_err(fault::access)
    }

    async fn permit_node<A: Action>(&self, node: &NodeActor, peer: &Peer) -> Result<NodePermit<A>, Status> {
        let permit = self.callers.access().permit_node(node, peer).await;
        permit.map_err(fault::access)
    }
}
