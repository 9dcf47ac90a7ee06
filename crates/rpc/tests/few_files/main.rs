//! A listener in a process that has run out of files. A binary of its own: the limit is the whole process's.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use rpc::{Limits, ListenAddress, Listener, Security};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tasks::Tasks;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tonic::body::Body;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn g10_the_accept_loop_outlives_a_lack_of_files() {
    let service = tower::service_fn(|_request: Request<Body>| async {
        let body = http_body_util::Full::new(Bytes::from_static(b"ok"));
        Ok(Response::new(Body::new(body)))
    });
    let tasks = Tasks::new();
    let listener = Listener::bind(ListenAddress::loopback(0), Security::Plain)
        .await
        .unwrap();
    // The limit of files is lowered later, so that there are more places than files then.
    let serving = rpc::serve(listener, service, &tasks, Limits::default());
    let address = serving.address();
    assert_eq!(ask(TcpStream::connect(address).await.unwrap()).await, "200");

    // Sockets of our own first, so that only the server lacks files afterwards.
    let sockets: Vec<_> = (0..64).map(|_| TcpSocket::new_v4().unwrap()).collect();
    let last = TcpSocket::new_v4().unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let whole = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(open + 16),
        ..whole
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let mut silent = Vec::new();
    for socket in sockets {
        silent.push(socket.connect(address).await.unwrap());
    }
    let answer = ask(last.connect(address).await.unwrap()).await;
    setrlimit(Resource::Nofile, whole).unwrap();
    assert_eq!(
        answer, "200",
        "a peer that asks is served though silent ones took every file"
    );
    assert_eq!(ask(TcpStream::connect(address).await.unwrap()).await, "200");
    drop(silent);
    assert!(serving.stop(SOON).await.late.is_empty());
}

/// The status that a request over this connection earns.
#[cfg(test)]
async fn ask(mut tcp: TcpStream) -> String {
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut said = String::new();
    timeout(SOON, tcp.read_to_string(&mut said))
        .await
        .expect("an answer")
        .unwrap();
    said.split(' ').nth(1).unwrap_or_default().to_owned()
}
