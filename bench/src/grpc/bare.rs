//! tonic by itself, with its own listener and all its defaults: what ours is compared with. It is the one place outside
//! `rpc` that touches tonic's transport.

use std::net::Ipv4Addr;

use anyhow::Result;
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};
use wire::grpc::testing::test_service_server::TestServiceServer;

use super::{service::Echo, zone};

/// Serves until standard input ends.
pub(crate) fn serve() -> Result<()> {
    zone::until_told(async || {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let first = tcp.local_addr()?.port().to_string();
        let incoming = TcpIncoming::from(tcp).with_nodelay(Some(true));
        let echo = TestServiceServer::new(Echo::new(None));
        let serving = Server::builder().add_service(echo).serve_with_incoming(incoming);
        Ok((first, async { serving.await.map_err(Into::into) }))
    })
}
