//! The credential cases, against an issuer of our own: who the server says is calling.
//!
//! What it leaves to others: the tokens (`account`), where they are got (`ask`), and that none goes over plaintext
//! (`rpc`).

use std::sync::Arc;

use http::Uri;
use rpc::{AccessToken, CallContext, CallCredentials, CallOptions};
use tasks::Clock;
use tonic::{Request, Status, metadata::MetadataMap};
use wire::grpc::testing::SimpleResponse;

use super::{Settings, Stub, ask, basic, failed, same};
use crate::{Account, Error, issuer::MACHINE};

/// The account that signs.
fn account(settings: &Settings) -> Result<&Account, Error> {
    settings.account.as_ref().ok_or(Error::Needs {
        what: "--service_account_key_file",
    })
}

/// An access token from the account's issuer, in exchange for one that the account signs.
async fn exchanged(account: &Account, scope: &str) -> Result<String, Error> {
    let uri: Uri = account.token_uri().parse().map_err(|_syntax| Error::Account {
        fault: "its token_uri is no address",
    })?;
    let authority = uri.authority().map(|authority| authority.as_str());
    let (Some("http"), Some(authority)) = (uri.scheme_str(), authority) else {
        return Err(Error::Account {
            fault: "its token_uri is not http://HOST:PORT/PATH, as that of a local issuer is",
        });
    };
    let audience = Some(account.token_uri().to_owned());
    let assertion = account.token(audience, Some(scope.to_owned()), Clock::system().now());
    let form =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    ask::token(authority, uri.path(), Some(form)).await
}

/// What a credential says when it has no token.
fn no_token(fault: Error) -> Status {
    wire::status(model::ErrorKind::Unauthenticated, model::chain(&fault))
}

/// Metadata of one access token, for the hosts on its list only.
async fn carried(token: String, call: &CallContext, host: &str) -> Result<MetadataMap, Status> {
    AccessToken::new(token, &[host]).metadata(call).await
}

/// Signs a token of its own for the service of each call.
#[derive(Debug)]
struct SelfSigned {
    account: Account,
    host: String,
}

#[tonic::async_trait]
impl CallCredentials for SelfSigned {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        let audience = Some(call.service_url.clone());
        let token = self.account.token(audience, None, Clock::system().now());
        carried(token, call, &self.host).await
    }
}

/// Has the account's issuer give a token for each call.
#[derive(Debug)]
struct Exchanging {
    account: Account,
    scope: String,
    host: String,
}

#[tonic::async_trait]
impl CallCredentials for Exchanging {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        let token = exchanged(&self.account, &self.scope).await.map_err(no_token)?;
        carried(token, call, &self.host).await
    }
}

/// Has the machine's own account asked for a token for each call.
#[derive(Debug)]
struct Machine {
    issuer: String,
    host: String,
}

#[tonic::async_trait]
impl CallCredentials for Machine {
    async fn metadata(&self, call: &CallContext) -> Result<MetadataMap, Status> {
        let token = ask::token(&self.issuer, MACHINE, None).await.map_err(no_token)?;
        carried(token, call, &self.host).await
    }
}

/// A large call that asks who its caller is.
async fn who(stub: &mut Stub, options: CallOptions) -> Result<SimpleResponse, Error> {
    let mut asked = basic::large();
    asked.fill_username = true;
    asked.fill_oauth_scope = true;
    let mut request = Request::new(asked);
    request.extensions_mut().insert(options);
    let answer = stub
        .unary_call(request)
        .await
        .map_err(failed("UnaryCall"))?
        .into_inner();
    basic::sized(&answer, basic::LARGE.1)?;
    Ok(answer)
}

/// The scope that comes back has to be one of those that were asked for.
fn scoped(settings: &Settings, answer: &SimpleResponse) -> Result<(), Error> {
    let within = !answer.oauth_scope.is_empty() && settings.scope.contains(&answer.oauth_scope);
    same("whether the scope is one that was asked for", true, within)
}

pub(super) async fn jwt(settings: &Settings) -> Result<(), Error> {
    let account = account(settings)?.clone();
    let email = account.email().to_owned();
    let host = settings.host.clone();
    let mut stub = settings.stub_with(SelfSigned { account, host })?;
    let answer = who(&mut stub, CallOptions::default()).await?;
    same("the caller", email, answer.username)
}

pub(super) async fn service_account(settings: &Settings) -> Result<(), Error> {
    let account = account(settings)?.clone();
    let email = account.email().to_owned();
    let mut stub = settings.stub_with(Exchanging {
        account,
        scope: settings.scope.clone(),
        host: settings.host.clone(),
    })?;
    let answer = who(&mut stub, CallOptions::default()).await?;
    same("the caller", email, answer.username.clone())?;
    scoped(settings, &answer)
}

pub(super) async fn oauth2(settings: &Settings) -> Result<(), Error> {
    let account = account(settings)?;
    let token = exchanged(account, &settings.scope).await?;
    let mut stub = settings.stub_with(AccessToken::new(token, &[&settings.host]))?;
    let answer = who(&mut stub, CallOptions::default()).await?;
    same("the caller", account.email(), &answer.username)?;
    scoped(settings, &answer)
}

/// The call with the token is its caller's, and the one without it is nobody's.
pub(super) async fn per_call(settings: &Settings) -> Result<(), Error> {
    let account = account(settings)?;
    let token = exchanged(account, &settings.scope).await?;
    let mut stub = settings.stub()?;
    let options = CallOptions {
        credentials: Some(Arc::new(AccessToken::new(token, &[&settings.host]))),
        ..CallOptions::default()
    };
    let answer = who(&mut stub, options).await?;
    same("the caller", account.email(), &answer.username)?;
    scoped(settings, &answer)?;
    let answer = who(&mut stub, CallOptions::default()).await?;
    same("the caller of a call without a token", "", &answer.username)
}

/// The machine's own account, as a channel's credentials.
pub(super) async fn machine(settings: &Settings) -> Result<(), Error> {
    let issuer = settings.machine.clone().ok_or(Error::Needs {
        what: "--metadata_server",
    })?;
    let host = settings.host.clone();
    let mut stub = settings.stub_with(Machine { issuer, host })?;
    let answer = who(&mut stub, CallOptions::default()).await?;
    same("the caller", &settings.default_account, &answer.username)?;
    scoped(settings, &answer)
}

/// The account that the flags name, as a channel's credentials.
pub(super) async fn default_credentials(settings: &Settings) -> Result<(), Error> {
    let account = account(settings)?.clone();
    let host = settings.host.clone();
    let mut stub = settings.stub_with(SelfSigned { account, host })?;
    let answer = who(&mut stub, CallOptions::default()).await?;
    same("the caller", &settings.default_account, &answer.username)
}
