//! etcd beside the store: the same writes, through gRPC on loopback, where Debian's package is installed.
//!
//! The two messages are written out here; their numbers are etcd's (`rpc.proto`, service `etcdserverpb.KV`).

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use http::uri::PathAndQuery;
use rpc::{Channel, Target, Trust};
use tonic::{Request, client::Grpc};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Done {}

/// A server in a folder of its own; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts etcd and waits until it takes connections; nothing where it is not installed.
    pub(crate) async fn start(folder: &Path) -> Result<Option<Self>> {
        let (address, peers) = (free()?, free()?);
        let started = Command::new("etcd")
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .args(["--log-level=error", "--initial-cluster-state=new"])
            .arg(format!("--listen-client-urls=http://{address}"))
            .arg(format!("--advertise-client-urls=http://{address}"))
            .arg(format!("--listen-peer-urls=http://{peers}"))
            .arg(format!("--initial-advertise-peer-urls=http://{peers}"))
            .arg(format!("--initial-cluster=default=http://{peers}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("start etcd"),
        };
        let server = Self { child, address };
        let up = testbed::eventually(Duration::from_secs(20), async || {
            TcpStream::connect(address).is_ok()
        })
        .await;
        ensure!(up, "etcd takes no connections");
        let client = server.client()?;
        let leads = testbed::eventually(Duration::from_secs(20), async || {
            put(client.clone(), "first".to_owned(), String::new()).await
        });
        ensure!(leads.await, "etcd takes no writes");
        Ok(Some(server))
    }

    pub(crate) fn client(&self) -> Result<Channel> {
        let target: Target = self.address.to_string().parse()?;
        Ok(rpc::connect_lazy(&target, &Trust::Plaintext)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Puts one value; tells whether etcd has it.
pub(crate) async fn put(channel: Channel, key: String, value: String) -> bool {
    let mut client = Grpc::new(channel);
    if client.ready().await.is_err() {
        return false;
    }
    let put = Put {
        key: key.into_bytes(),
        value: value.into_bytes(),
    };
    let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
    let codec = ProstCodec::<Put, Done>::default();
    client.unary(Request::new(put), path, codec).await.is_ok()
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
