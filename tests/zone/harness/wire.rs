//! The wire as a test sees it: typed calls with a bearer, and raw calls of any method with any bytes.
//!
//! What it leaves to others: what is expected as an answer.

use std::{future::Future, net::SocketAddr, time::Duration};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tokio::runtime::Runtime;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataValue,
};
use wire::soke::v1::{
    self, JobState, job_service_client::JobServiceClient, service_service_client::ServiceServiceClient,
    session_service_client::SessionServiceClient, sign_in_request::Proof,
    user_service_client::UserServiceClient,
};

use super::LONG;

/// How long a raw call may take.
const CALL: Duration = Duration::from_secs(20);

/// One connection to a zone.
pub(crate) struct Wire {
    runtime: Runtime,
    channel: rpc::Channel,
}

impl Wire {
    /// Connects, with the zone's CA as the only trust.
    pub(crate) fn connect(address: SocketAddr, ca_pem: String) -> Self {
        let runtime = runtime();
        let target = rpc::Target::from(address)
            .with_server_name("soke.localhost")
            .expect("a host name");
        let trust = rpc::Trust::Authority { pem: ca_pem };
        let channel = runtime
            .block_on(rpc::connect(&target, &trust))
            .expect("the zone answers");
        Self { runtime, channel }
    }

    /// Connects under the listener's own address, and shows a certificate.
    pub(crate) fn connect_as(address: SocketAddr, ca_pem: String, holder: &rpc::link::Holder) -> Self {
        let runtime = runtime();
        let trust = rpc::Trust::Authority { pem: ca_pem };
        let connected = runtime.block_on(rpc::connect_as(&rpc::Target::from(address), &trust, holder));
        let channel = connected.expect("the zone answers");
        Self { runtime, channel }
    }

    /// Connects without encryption.
    pub(crate) fn connect_plain(address: SocketAddr) -> Self {
        let runtime = runtime();
        let connected = runtime.block_on(rpc::connect(&rpc::Target::from(address), &rpc::Trust::Plaintext));
        let channel = connected.expect("the zone answers");
        Self { runtime, channel }
    }

    /// The connection, for a generated client.
    pub(crate) fn channel(&self) -> rpc::Channel {
        self.channel.clone()
    }

    /// Waits for a call.
    pub(crate) fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            tokio::time::timeout(CALL, call)
                .await
                .expect("an answer within the bound")
        })
    }

    /// Signs in with a proof.
    pub(crate) fn try_sign_in(&self, proof: Proof) -> Result<v1::SignInResponse, Status> {
        let request = v1::SignInRequest { proof: Some(proof) };
        let mut sessions = SessionServiceClient::new(self.channel());
        self.wait(sessions.sign_in(request))
            .map(tonic::Response::into_inner)
    }

    /// Signs in with a one-time code and gives the tokens.
    pub(crate) fn sign_in(&self, code: &str) -> v1::Tokens {
        let answer = self
            .try_sign_in(Proof::LinkCode(code.to_owned()))
            .expect("a good code");
        answer.tokens.expect("tokens")
    }

    /// Makes a user and gives its one-time code.
    pub(crate) fn create_user(&self, owner: &str, name: &str, role: &str) -> String {
        let request = v1::CreateUserRequest {
            user_name: name.to_owned(),
            role: role.to_owned(),
            unix_name: String::new(),
        };
        let mut users = UserServiceClient::new(self.channel());
        let answer = self
            .wait(users.create_user(signed(request, owner)))
            .expect("a new user");
        answer.into_inner().sign_in_code
    }

    /// A fresh one-time code of a user.
    pub(crate) fn sign_in_code(&self, owner: &str, name: &str) -> String {
        let request = v1::CreateSignInCodeRequest {
            user_name: name.to_owned(),
        };
        let mut users = UserServiceClient::new(self.channel());
        let answer = self.wait(users.create_sign_in_code(signed(request, owner)));
        answer.expect("a code").into_inner().sign_in_code
    }

    /// Submits a job that is a shell script and gives its number.
    pub(crate) fn submit(&self, bearer: &str, script: &str) -> u32 {
        let request = v1::SubmitJobRequest {
            script: script.to_owned(),
            ..v1::SubmitJobRequest::default()
        };
        let mut jobs = JobServiceClient::new(self.channel());
        let answer = self
            .wait(jobs.submit_job(signed(request, bearer)))
            .expect("a job");
        answer.into_inner().job.expect("a job").number
    }

    /// Deploys a service and gives its id.
    pub(crate) fn deploy(&self, bearer: &str, manifest: &str) -> String {
        let request = v1::DeployServiceRequest {
            manifest: manifest.to_owned(),
            node: String::new(),
        };
        let mut services = ServiceServiceClient::new(self.channel());
        let answer = self.wait(services.deploy_service(signed(request, bearer)));
        let service = answer.expect("a service").into_inner().service;
        service.expect("a service").service_id
    }

    /// The record of a job.
    pub(crate) fn job(&self, bearer: &str, number: u32) -> Result<v1::Job, Status> {
        let request = v1::GetJobRequest { number };
        let mut jobs = JobServiceClient::new(self.channel());
        let answer = self.wait(jobs.get_job(signed(request, bearer)))?;
        Ok(answer.into_inner().job.expect("a job"))
    }

    /// Waits until a job is in this state and gives its record.
    #[track_caller]
    pub(crate) fn job_until(&self, bearer: &str, number: u32, state: JobState) -> v1::Job {
        let mut last = None;
        let found = testbed::eventually_blocking(LONG, || {
            let job = self.job(bearer, number).expect("the job is there");
            let is_so = job.state() == state;
            last = Some(job);
            is_so
        });
        let job = last.expect("looked at least once");
        assert!(found, "job {number} is not {state:?}: {job:?}");
        job
    }

    /// What a job has written so far and until its end.
    pub(crate) fn output(&self, bearer: &str, number: u32, stream: v1::Stream) -> String {
        let request = v1::FollowOutputRequest {
            number,
            stream: stream.into(),
            offset: 0,
        };
        let mut jobs = JobServiceClient::new(self.channel());
        let mut text = Vec::new();
        self.wait(async {
            let answer = jobs.follow_output(signed(request, bearer)).await;
            let mut chunks = answer.expect("a stream").into_inner();
            while let Some(chunk) = chunks.message().await.expect("a chunk") {
                text.extend_from_slice(&chunk.chunk);
            }
        });
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Runs a shell script as a job to its end; it must end well. Gives what it wrote.
    #[track_caller]
    pub(crate) fn run(&self, bearer: &str, script: &str) -> String {
        let number = self.submit(bearer, script);
        let mut ended = None;
        testbed::eventually_blocking(LONG, || {
            let job = self.job(bearer, number).expect("the job is there");
            let has_ended = job.ended_at.is_some();
            ended = Some(job);
            has_ended
        });
        let job = ended.expect("looked at least once");
        let errors = self.output(bearer, number, v1::Stream::Stderr);
        assert_eq!(job.exit_code, Some(0), "{job:?}\n{errors}");
        self.output(bearer, number, v1::Stream::Stdout)
    }

    /// Calls any method with one message of any bytes; gives the code, or Ok with the first answer at hand.
    pub(crate) fn raw(&self, path: &str, message: &[u8], bearer: Option<&str>) -> Result<Bytes, Status> {
        let bearer = bearer.map(|bearer| format!("Bearer {bearer}"));
        let entries: Vec<&str> = bearer.iter().map(String::as_str).collect();
        self.raw_with(path, message, &entries)
    }

    /// The same with these entries of `authorization`.
    pub(crate) fn raw_with(&self, path: &str, message: &[u8], entries: &[&str]) -> Result<Bytes, Status> {
        let path: PathAndQuery = path.parse().expect("a path");
        let mut request = Request::new(tokio_stream::once(Bytes::copy_from_slice(message)));
        for entry in entries {
            let value: MetadataValue<_> = entry.parse().expect("ASCII");
            request.metadata_mut().append("authorization", value);
        }
        let mut client = Grpc::new(self.channel());
        self.wait(async {
            client
                .ready()
                .await
                .map_err(|fault| Status::unavailable(fault.to_string()))?;
            let mut answers = client.streaming(request, path, RawCodec).await?.into_inner();
            match answers.message().await? {
                Some(answer) => Ok(answer),
                None => Ok(Bytes::new()),
            }
        })
    }

    /// The code that a raw call answers.
    pub(crate) fn code(&self, path: &str, message: &[u8], bearer: Option<&str>) -> Code {
        match self.raw(path, message, bearer) {
            Ok(_) => Code::Ok,
            Err(status) => status.code(),
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A certificate of the user who has this bearer.
pub(crate) fn certificate(wire: &Wire, bearer: &str) -> rpc::link::Holder {
    let key = rcgen::KeyPair::generate().expect("a key");
    let request = rcgen::CertificateParams::default().serialize_request(&key);
    let request = v1::CreateCertificateRequest {
        certificate_request: request.expect("a request").der().to_vec(),
    };
    let mut sessions = SessionServiceClient::new(wire.channel());
    let answer = wire.wait(sessions.create_certificate(signed(request, bearer)));
    let chain = answer.expect("a certificate").into_inner().chain;
    let pem = chain
        .iter()
        .map(|der| pem("CERTIFICATE", der))
        .collect::<String>();
    let identity = rpc::Identity::from_pem(&pem, &key.serialize_pem()).expect("PEM");
    rpc::link::Holder::new(identity).expect("they fit")
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// A request that carries a bearer.
pub(crate) fn signed<T>(message: T, bearer: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value: MetadataValue<_> = format!("Bearer {bearer}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

/// Passes message bytes through as they are.
#[derive(Debug, Clone, Copy)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
