//! The test client: the official cases by name, each against one server.
//!
//! What it leaves to others: what each case does (the modules below), the flags, and printing (the binary). A case
//! makes a channel of its own, so that none hides behind what another has left.

mod ask;
mod bare;
mod basic;
mod compression;
mod ends;
mod soak;
mod streams;
mod tokens;

use std::{fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use rpc::{
    CallContext, CallCredentials, Channel, ChannelArgs, ChannelCredentials, SecurityLevel, Target, Trust,
    link::Holder,
};
use tonic::{Code, Status, metadata::MetadataMap};
use wire::grpc::testing::{Payload, PayloadType, test_service_client::TestServiceClient};

use crate::{Account, Error};
pub use soak::Soak;

/// The longest time that one case takes, but for those that are told how long.
const LONGEST: Duration = Duration::from_secs(120);

/// A stub of the test service.
type Stub = TestServiceClient<Channel>;

/// Where the cases go, and what they are given.
#[derive(Debug)]
pub struct Settings {
    /// The server, with the name that it must prove.
    pub target: Target,
    /// That name; tokens go to no other.
    pub host: String,
    /// Why the server is believed; plaintext for no encryption.
    pub trust: Trust,
    /// The certificate to show, over TLS.
    pub holder: Option<Holder>,
    /// What goes along with every call.
    pub metadata: MetadataMap,
    /// The channel's service configuration, as gRPC writes it in JSON.
    pub service_config: Option<String>,
    /// The account of the credential cases.
    pub account: Option<Account>,
    /// The name that the machine's own account must have.
    pub default_account: String,
    /// The scope that tokens are asked for.
    pub scope: String,
    /// Who gives out the machine's own tokens, HOST:PORT.
    pub machine: Option<String>,
    /// The soak cases' numbers.
    pub soak: Soak,
    /// How many calls `concurrent_large_unary` makes.
    pub concurrent: u32,
}

macro_rules! cases {
    ($($case:ident $name:literal $what:literal)*) => {
        /// One official case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Case {
            $(#[doc = $what] $case,)*
        }

        impl Case {
            /// All of them, in the official order.
            pub const ALL: &[Case] = &[$(Case::$case,)*];

            /// Its official name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Case::$case => $name,)*
                }
            }
        }
    };
}

cases! {
    EmptyUnary "empty_unary" "An empty message both ways."
    LargeUnary "large_unary" "A large message both ways."
    ClientCompressedUnary "client_compressed_unary" "A request compressed, and one not."
    ServerCompressedUnary "server_compressed_unary" "An answer compressed, and one not."
    ClientStreaming "client_streaming" "Four requests, one answer."
    ClientCompressedStreaming "client_compressed_streaming" "Requests of one stream compressed and not."
    ServerStreaming "server_streaming" "One request, four answers in order."
    ServerCompressedStreaming "server_compressed_streaming" "Answers of one stream compressed and not."
    PingPong "ping_pong" "Four times one request and its answer."
    EmptyStream "empty_stream" "No message either way."
    ComputeEngineCreds "compute_engine_creds" "Tokens of the machine's own account."
    ServiceAccountCreds "service_account_creds" "Tokens exchanged by a service account."
    JwtTokenCreds "jwt_token_creds" "Tokens that a service account signs itself."
    Oauth2AuthToken "oauth2_auth_token" "One access token for the channel."
    PerRpcCreds "per_rpc_creds" "One access token for one call."
    GoogleDefaultCredentials "google_default_credentials" "What the surroundings name, as a channel's credentials."
    ComputeEngineChannelCredentials "compute_engine_channel_credentials" "The machine's account as a channel's."
    CustomMetadata "custom_metadata" "Metadata that comes back first and last."
    StatusCodeAndMessage "status_code_and_message" "The status that was asked for."
    SpecialStatusMessage "special_status_message" "A message with spaces, line ends and emoji."
    UnimplementedMethod "unimplemented_method" "A call that nobody built."
    UnimplementedService "unimplemented_service" "A service that is not there."
    CancelAfterBegin "cancel_after_begin" "Cancelled before the first request."
    CancelAfterFirstResponse "cancel_after_first_response" "Cancelled after the first answer."
    TimeoutOnSleepingServer "timeout_on_sleeping_server" "A deadline that passes."
    PickFirstUnary "pick_first_unary" "A hundred calls, one server."
    RpcSoak "rpc_soak" "Many calls over one channel."
    ChannelSoak "channel_soak" "Many calls, each over a channel of its own."
    ConcurrentLargeUnary "concurrent_large_unary" "Many large calls at the same time."
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Case {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().find(|case| case.name() == text).copied();
        found.ok_or_else(|| Error::Case {
            name: text.chars().take(64).collect(),
            known: Self::ALL
                .iter()
                .map(|case| case.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

impl Case {
    /// Runs the case.
    ///
    /// # Errors
    /// What has not come out as it must, or what the case was not given.
    pub async fn run(self, settings: &Settings) -> Result<(), Error> {
        let is_soak = matches!(self, Case::RpcSoak | Case::ChannelSoak);
        let longest = if is_soak {
            settings.soak.overall + LONGEST
        } else {
            LONGEST
        };
        let over = tokio::time::timeout(longest, Box::pin(self.perform(settings))).await;
        over.unwrap_or_else(|_elapsed| {
            Err(Error::Late {
                secs: longest.as_secs(),
            })
        })
    }

    async fn perform(self, settings: &Settings) -> Result<(), Error> {
        let stub = || settings.stub();
        match self {
            Case::EmptyUnary => basic::empty_unary(settings.channel()?).await,
            Case::LargeUnary => basic::large_unary(stub()?).await,
            Case::ClientCompressedUnary => compression::client_unary(stub()?).await,
            Case::ServerCompressedUnary => compression::server_unary(stub()?).await,
            Case::ClientCompressedStreaming => compression::client_streaming(stub()?).await,
            Case::ServerCompressedStreaming => compression::server_streaming(stub()?).await,
            Case::ClientStreaming => streams::client_streaming(stub()?).await,
            Case::ServerStreaming => streams::server_streaming(stub()?).await,
            Case::PingPong => streams::ping_pong(stub()?).await,
            Case::EmptyStream => streams::empty_stream(stub()?).await,
            Case::ComputeEngineCreds | Case::ComputeEngineChannelCredentials => {
                tokens::machine(settings).await
            }
            Case::ServiceAccountCreds => tokens::service_account(settings).await,
            Case::JwtTokenCreds => tokens::jwt(settings).await,
            Case::Oauth2AuthToken => tokens::oauth2(settings).await,
            Case::PerRpcCreds => tokens::per_call(settings).await,
            Case::GoogleDefaultCredentials => tokens::default_credentials(settings).await,
            Case::CustomMetadata => ends::custom_metadata(settings.channel()?).await,
            Case::StatusCodeAndMessage => ends::status_code_and_message(stub()?).await,
            Case::SpecialStatusMessage => ends::special_status_message(stub()?).await,
            Case::UnimplementedMethod => ends::unimplemented_method(stub()?).await,
            Case::UnimplementedService => ends::unimplemented_service(settings.channel()?).await,
            Case::CancelAfterBegin => ends::cancel_after_begin(stub()?).await,
            Case::CancelAfterFirstResponse => ends::cancel_after_first_response(stub()?).await,
            Case::TimeoutOnSleepingServer => ends::timeout(stub()?).await,
            Case::PickFirstUnary => basic::pick_first(stub()?).await,
            Case::RpcSoak => soak::over_one_channel(settings).await,
            Case::ChannelSoak => soak::over_many_channels(settings).await,
            Case::ConcurrentLargeUnary => basic::concurrent(stub()?, settings.concurrent).await,
        }
    }
}

impl Settings {
    /// Looks at what every case needs, without calling anybody.
    ///
    /// # Errors
    /// Invalid when the authority, the certificate or the service configuration cannot be used.
    pub fn check(&self) -> Result<(), Error> {
        self.channel().map(drop)
    }

    fn credentials(&self) -> ChannelCredentials {
        let base = match (&self.trust, &self.holder) {
            (Trust::Plaintext, _) => ChannelCredentials::insecure(),
            (trust, None) => ChannelCredentials::tls(trust.clone()),
            (trust, Some(holder)) => ChannelCredentials::mutual_tls(trust.clone(), holder.clone()),
        };
        if self.metadata.is_empty() {
            return base;
        }
        base.with(Additional(self.metadata.clone()))
    }

    fn args(&self) -> Result<ChannelArgs, Error> {
        let args = ChannelArgs::new();
        match &self.service_config {
            None => Ok(args),
            Some(text) => args
                .with("grpc.service_config", text.as_str())
                .map_err(|source| Error::Given { source }),
        }
    }

    fn open(&self, credentials: &ChannelCredentials, args: ChannelArgs) -> Result<Channel, Error> {
        Channel::new(&self.target, credentials, args).map_err(|source| Error::Given { source })
    }

    /// A fresh channel.
    fn channel(&self) -> Result<Channel, Error> {
        self.open(&self.credentials(), self.args()?)
    }

    /// A stub over a fresh channel.
    fn stub(&self) -> Result<Stub, Error> {
        Ok(Stub::new(self.channel()?))
    }

    /// A stub over a fresh channel with these credentials for all its calls.
    fn stub_with(&self, credentials: impl CallCredentials + 'static) -> Result<Stub, Error> {
        if matches!(self.trust, Trust::Plaintext) {
            return Err(Error::Needs {
                what: "--use_tls=true",
            });
        }
        let credentials = self.credentials().with(credentials);
        Ok(Stub::new(self.open(&credentials, self.args()?)?))
    }
}

/// What `--additional_metadata` names. It is no secret.
#[derive(Debug)]
struct Additional(MetadataMap);

#[tonic::async_trait]
impl CallCredentials for Additional {
    async fn metadata(&self, _call: &CallContext) -> Result<MetadataMap, Status> {
        Ok(self.0.clone())
    }

    fn minimum_security(&self) -> SecurityLevel {
        SecurityLevel::None
    }
}

/// A payload of zeros.
fn payload(size: usize) -> Option<Payload> {
    Some(Payload {
        r#type: PayloadType::Compressable.into(),
        body: Bytes::from(vec![0; size]),
    })
}

/// How many bytes a payload has.
fn length(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| payload.body.len())
}

/// Holds what came to what must come.
fn same<T: PartialEq + fmt::Debug>(what: &'static str, wanted: T, found: T) -> Result<(), Error> {
    if wanted == found {
        return Ok(());
    }
    Err(Error::Differs {
        what,
        wanted: format!("{wanted:?}"),
        found: format!("{found:?}"),
    })
}

/// Says which call a status has ended.
fn failed(step: &'static str) -> impl FnOnce(Status) -> Error {
    move |status| Error::Call {
        step,
        source: Box::new(status),
    }
}

/// Wants a call to end with this code, and gives its message.
fn ended<T>(what: &'static str, wanted: Code, answer: Result<T, Status>) -> Result<String, Error> {
    let (code, message) = match answer {
        Ok(_answered) => (Code::Ok, String::new()),
        Err(status) => (status.code(), status.message().to_owned()),
    };
    same(what, wanted, code)?;
    Ok(message)
}
