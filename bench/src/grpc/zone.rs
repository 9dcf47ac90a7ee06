//! Our servers: the service behind `rpc` alone, and behind all that stands before a call in a zone.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use access::{Access, Config, Credential, Parts, Peer, Proof};
use anyhow::{Context as _, Result};
use caller::Callers;
use model::Span;
use rpc::{CallLimits, Calls, Limits, ListenAddress, Listener, Security, TlsSource};
use store::{Engine, Store};
use tasks::{Clock, Tasks};
use tonic::service::Routes;
use tracing_subscriber::EnvFilter;
use wire::grpc::testing::test_service_server::TestServiceServer;

use super::service::Echo;

/// How long the bearer is good: longer than any run.
const LONG: Span = Span::from_secs(24 * 3600);

/// Starts a server, prints the line that it gives, and serves until standard input ends.
pub(crate) fn until_told<S, F>(start: S) -> Result<()>
where
    S: AsyncFnOnce() -> Result<(String, F)>,
    F: Future<Output = Result<()>>,
{
    // As in a zone: two threads on two cores, and lines from `warn` on.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn"))
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (first, serving) = start().await?;
        crate::say(&first);
        let tasks = Tasks::new();
        let told = tasks.blocking("bench.stdin", || io::copy(&mut io::stdin(), &mut io::sink()));
        tokio::select! {
            ended = serving => ended,
            told = told => Ok(told?.map(drop)?),
        }
    })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

fn routes(callers: Option<Callers>) -> Routes {
    Routes::new(TestServiceServer::new(Echo::new(callers)))
}

/// `rpc` by itself: a plain listener, deadlines and limits.
pub(crate) fn serve_alone() -> Result<()> {
    until_told(async || {
        let tasks = Tasks::new();
        let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain).await?;
        let calls = Calls::new(routes(None), CallLimits::default());
        let serving = rpc::serve(listener, calls, &tasks, Limits::default());
        Ok((serving.address().port().to_string(), std::future::pending()))
    })
}

/// All of it: the front door, `rpc`, the bearer, the right and the trail, on a store of its own.
pub(crate) fn serve_all() -> Result<()> {
    until_told(async || {
        let folder = tempfile::tempdir()?;
        let tasks = Tasks::new();
        let path = folder.path().join("store/soke.db");
        let engine = Engine::Sqlite { path };
        let store = Store::open(&store::Config { engine }, access::MIGRATIONS, &tasks).await?;
        let config = Config {
            access_life: LONG,
            ..Config::default()
        };
        let parts = Parts {
            store: store.clone(),
            tasks: tasks.clone(),
            clock: Clock::system(),
            keys_dir: folder.path().join("keys"),
            zone_host: "localhost".to_owned(),
            config,
        };
        let access = Access::start(parts).await?;
        let token = sign_in(&access).await?;
        let certificate = access
            .zone()
            .issue_server_certificate(&["localhost".to_owned()])?;
        let tls = TlsSource::new(certificate.settings(&[b"h2".to_vec()])?);
        let gateway = gateway::start(gateway::Parts {
            config: gateway::Config {
                listen: ListenAddress::loopback(0),
                ..gateway::Config::default()
            },
            routes: routes(Some(Callers::new(access.clone(), "native"))),
            tls,
            allowed_hosts: vec!["localhost".to_owned()],
            links: None,
            tasks: tasks.clone(),
        })
        .await?;
        let address: SocketAddr = gateway.address();
        let first = format!("{} {token}", address.port());
        let serving = async move {
            // All that is served from lives until the end.
            let _held = (folder, store, access, gateway);
            std::future::pending().await
        };
        Ok((first, serving))
    })
}

/// Makes the owner of the zone and signs in; gives the bearer.
async fn sign_in(access: &Access) -> Result<String> {
    let peer = Peer::new(None, "native");
    let code = access.first_owner("ada").await?.context("a zone that is new")?;
    let signed_in = access.sign_in(Proof::LinkCode(code), &peer).await?;
    let token = signed_in.access_token.expose().to_owned();
    access
        .authenticate(Credential::Bearer(token.clone().into()), &peer)
        .await?;
    Ok(token)
}
