//! Tunnels to services of a machine, over its link.

use std::{io, time::Duration};

use agent::{Tunnel, open_tunnel};
use model::{ServiceId, Timestamp};
use tasks::Policy;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional, split},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tonic::{Code, Status};
use wire::soke::agent::v1::{
    ListJobsRequest, TunnelRequest, tunnel_agent_service_client::TunnelAgentServiceClient, tunnel_request,
};

use crate::bed::{Computer, SOON, Zone};

/// A linked machine that runs a service whose connections are played by hand.
struct Bed {
    zone: Zone,
    computer: Computer,
    node: String,
    service: ServiceId,
    port: u16,
    listener: TcpListener,
}

impl Bed {
    async fn new() -> Self {
        let (zone, computer) = (Zone::new().await, Computer::new());
        let member = computer.join(&zone.invitation("one").await).await.unwrap();
        drop(computer.keep());
        zone.until_linked(&member.node_id, true).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = ServiceId::fresh(Timestamp::from_secs(1));
        computer.ports.0.lock().unwrap().insert((service, port));
        Self {
            zone,
            computer,
            node: member.node_id,
            service,
            port,
            listener,
        }
    }

    async fn open_to(&self, service: ServiceId, port: u16) -> Result<Tunnel, Status> {
        let reach = self.zone.machines.reach(self.node.parse().unwrap());
        open_tunnel(reach, service, port, &self.zone.tasks).await
    }

    /// Both ends of a tunnel.
    async fn open(&self) -> (Tunnel, TcpStream) {
        let tunnel = self.open_to(self.service, self.port).await.unwrap();
        (tunnel, self.listener.accept().await.unwrap().0)
    }
}

#[tokio::test]
async fn bytes_pass_both_ways_and_each_way_ends_by_itself() {
    let bed = Bed::new().await;
    let (tunnel, mut service) = bed.open().await;
    let sent: Vec<u8> = (0..5_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let tasks = bed.computer.tasks.clone();
    tasks.spawn("echo", Policy::MayEnd, async move {
        let (mut reads, mut writes) = service.split();
        tokio::io::copy(&mut reads, &mut writes).await.unwrap();
        writes.write_all(b"the end").await.unwrap();
        writes.shutdown().await.unwrap();
    });
    let (mut reads, mut writes) = split(tunnel);
    let mut got = Vec::new();
    let (wrote, read) = tokio::join!(
        async {
            writes.write_all(&sent).await?;
            writes.shutdown().await
        },
        timeout(SOON, reads.read_to_end(&mut got)),
    );
    wrote.unwrap();
    read.unwrap().unwrap();
    assert_eq!(got.strip_suffix(b"the end").unwrap(), sent);
}

#[tokio::test]
async fn g23_no_port_but_a_services_own_is_reached() {
    let bed = Bed::new().await;
    let other = ServiceId::fresh(Timestamp::from_secs(2));
    let control = bed.zone.serving.address().port();
    for (service, port) in [
        (bed.service, control),
        (other, bed.port),
        (bed.service, bed.port ^ 1),
    ] {
        let refused = bed.open_to(service, port).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    }
    let reach = bed.zone.machines.reach(bed.node.parse().unwrap());
    let mut client = TunnelAgentServiceClient::new(reach);
    for (service_id, port) in [(String::new(), 0), ("x".to_owned(), 70_000)] {
        let open = tunnel_request::Open { service_id, port };
        let part = Some(tunnel_request::Part::Open(open));
        let asked = client
            .tunnel(futures::stream::iter([TunnelRequest { part }]))
            .await;
        assert_eq!(asked.unwrap_err().code(), Code::InvalidArgument);
    }
    for part in [
        None,
        Some(tunnel_request::Part::Taken(1)),
        Some(tunnel_request::Part::Data("x".into())),
    ] {
        let asked = client
            .tunnel(futures::stream::iter([TunnelRequest { part }]))
            .await;
        assert_eq!(asked.unwrap_err().code(), Code::InvalidArgument);
    }
    let closed = bed.port;
    drop(bed.listener);
    let reach = bed.zone.machines.reach(bed.node.parse().unwrap());
    let refused = open_tunnel(reach, bed.service, closed, &bed.zone.tasks).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn tunnels_whose_ends_do_not_read_hold_up_no_other_call() {
    let bed = Bed::new().await;
    let mut open = Vec::new();
    for _ in 0..12 {
        let (tunnel, mut service) = bed.open().await;
        open.push(tunnel);
        bed.computer.tasks.spawn("flood", Policy::MayEnd, async move {
            let block = vec![b'x'; 65_536];
            while service.write_all(&block).await.is_ok() {}
        });
    }
    // The first of each has come, so every flood runs.
    for tunnel in &mut open {
        tunnel.read_exact(&mut [0; 1000]).await.unwrap();
    }
    let mut jobs = bed.zone.reached(&bed.node);
    for _ in 0..20 {
        let asked = timeout(Duration::from_secs(5), jobs.list_jobs(ListJobsRequest {})).await;
        asked.expect("the link is free").unwrap();
    }
    let (mut fresh, mut service) = bed.open().await;
    fresh.write_all(b"x").await.unwrap();
    service.read_exact(&mut [0]).await.unwrap();
    // What waited goes on.
    let mut some = vec![0; 2_000_000];
    timeout(SOON, open[0].read_exact(&mut some))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_tunnel_that_breaks_is_no_end_and_one_that_is_dropped_ends_there() {
    let bed = Bed::new().await;
    let (mut dropped, mut service) = bed.open().await;
    dropped.write_all(b"x").await.unwrap();
    service.read_exact(&mut [0]).await.unwrap();
    drop(dropped);
    let ended = timeout(SOON, service.read(&mut [0]))
        .await
        .expect("the service hears of it");
    assert_eq!(ended.unwrap_or(0), 0);
    let (mut broken, mut service) = bed.open().await;
    service.write_all(b"first").await.unwrap();
    broken.read_exact(&mut [0; 5]).await.unwrap();
    bed.computer.tasks.stop(SOON).await;
    let read = timeout(SOON, broken.read(&mut [0; 5])).await.expect("it is told");
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let gone = bed.open_to(bed.service, bed.port).await.unwrap_err();
    assert_eq!(gone.code(), Code::Unavailable);
}

#[tokio::test]
async fn many_tunnels_at_once_keep_apart() {
    let bed = Bed::new().await;
    let echo = async {
        loop {
            let (mut tcp, _) = bed.listener.accept().await.unwrap();
            bed.computer.tasks.spawn("echo", Policy::MayEnd, async move {
                let (mut reads, mut writes) = tcp.split();
                drop(tokio::io::copy(&mut reads, &mut writes).await);
            });
        }
    };
    let one = async |number: usize| {
        let (mut tunnel, (mut here, mut there)) = (
            bed.open_to(bed.service, bed.port).await.unwrap(),
            tokio::io::duplex(1000),
        );
        let word = format!("{number},").repeat(20_000);
        let talk = async {
            let mut heard = vec![0; word.len()];
            let (mut reads, mut writes) = split(&mut here);
            let (wrote, read) = tokio::join!(writes.write_all(word.as_bytes()), reads.read_exact(&mut heard));
            wrote.unwrap();
            read.unwrap();
            assert!(heard == word.as_bytes(), "{number} heard another");
        };
        tokio::select! {
            () = talk => {}
            ended = copy_bidirectional(&mut tunnel, &mut there) => panic!("{ended:?}"),
        }
    };
    let all = futures::future::join_all((0..50).map(one));
    tokio::select! {
        all = timeout(SOON, all) => drop(all.expect("all end")),
        () = echo => {}
    }
}
