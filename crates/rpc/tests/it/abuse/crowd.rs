//! Peers in great number that keep their connections and say little.

use std::{io::Write as _, net::TcpStream};

use prost::Message as _;
use wire::grpc::testing::{ResponseParameters, StreamingOutputCallRequest};

use super::{
    Bounds, Notice,
    apart::Way,
    attack::{Attacker, Line, pause},
    is_full, withstand,
};
use crate::raw::{PREFACE, frame, head};

/// The first bytes of a TLS hello that says it goes on for 512 bytes.
const HALF_A_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

/// How many connections are opened without a pause.
const AT_ONCE: usize = 4;

/// How many connections say nothing.
fn silent() -> u64 {
    if is_full() { 5000 } else { 500 }
}

/// How many connections are opened at a server that may open fewer files.
fn idle() -> u64 {
    if is_full() { 10 * few_files() / 4 } else { 600 }
}

/// How many files that server may open, each of its connections included.
pub(super) fn few_files() -> u64 {
    if is_full() { 1024 } else { 256 }
}

fn silence(attacker: &Attacker) {
    hold(attacker, &[], silent());
}

fn half_hellos(attacker: &Attacker) {
    hold(attacker, HALF_A_HELLO, silent());
}

fn more_than_files(attacker: &Attacker) {
    hold(attacker, &[], idle());
}

/// Opens as many connections, each with these first bytes, and keeps its side of them open.
fn hold(attacker: &Attacker, first: &[u8], count: u64) {
    let mut held: Vec<TcpStream> = Vec::new();
    while attacker.goes_on() && u64::try_from(held.len()).unwrap() < count {
        if let Ok(mut tcp) = TcpStream::connect(attacker.address)
            && tcp.write_all(first).is_ok()
        {
            held.push(tcp);
            attacker.count(1);
        }
        // More at once than wait to be accepted would be put off for a second each, and the first be gone by then.
        if held.len().is_multiple_of(AT_ONCE) {
            pause();
        }
    }
    attacker.wait();
}

/// Hellos that come a byte at a time, over many connections.
fn hellos_in_bytes(attacker: &Attacker) {
    let hello = [HALF_A_HELLO, &[7; 400]].concat();
    while attacker.goes_on() {
        let mut lines: Vec<Line> = (0..100).filter_map(|_| Line::open(attacker)).collect();
        for byte in &hello {
            lines.retain_mut(|line| line.send(attacker, &[*byte]));
            attacker.count(u64::try_from(lines.len()).unwrap());
        }
    }
}

/// Calls for answers without end, on connections whose windows stay shut.
fn shut_windows(attacker: &Attacker) {
    let asked = StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size: 16 * 1024,
            interval_us: -1,
            compressed: None,
        }],
        ..StreamingOutputCallRequest::default()
    };
    let asked = asked.encode_to_vec();
    let mut message = vec![0];
    message.extend(u32::try_from(asked.len()).unwrap().to_be_bytes());
    message.extend(asked);
    // SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, section 6.5.2).
    let opening = [PREFACE, &frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])].concat();
    let path = "/grpc.testing.TestService/StreamingOutputCall";
    stalled(attacker, &opening, |id| {
        [frame(1, 0x4, id, &head(path)), frame(0, 0x1, id, &message)].concat()
    });
}

/// Calls whose message never becomes whole.
fn half_messages(attacker: &Attacker) {
    let opening = [PREFACE, &frame(4, 0, 0, &[])].concat();
    let mut half = vec![0, 0, 0, 0x40, 0];
    // All together less than a peer may send before the server has widened its window (RFC 9113, section 6.9.2).
    half.extend([0; 235]);
    let path = "/grpc.testing.TestService/UnaryCall";
    stalled(attacker, &opening, |id| {
        [frame(1, 0x4, id, &head(path)), frame(0, 0, id, &half)].concat()
    });
}

/// Twenty connections with as many calls as are let in, which stay as they are.
fn stalled(attacker: &Attacker, opening: &[u8], call: impl Fn(u32) -> Vec<u8>) {
    let mut lines = Vec::new();
    for _ in 0..20 {
        let Some(mut line) = Line::open(attacker) else {
            continue;
        };
        let calls: Vec<u8> = (0..256).flat_map(|at| call(at * 2 + 1)).collect();
        if line.send(attacker, opening) && line.send(attacker, &calls) {
            attacker.count(256);
            lines.push(line);
        }
    }
    while attacker.goes_on() {
        lines.retain_mut(Line::read_all);
        attacker.wait();
    }
}

#[tokio::test]
async fn j13_silent_connections_cost_newcomers_little() {
    let bounds = || Bounds {
        deeds: silent(),
        memory: if is_full() { 128 } else { 64 },
        threads: 1,
        stays: true,
        held: usize::try_from(silent()).unwrap(),
        ends: false,
    };
    withstand("silent", Way::Tls, Notice::Newcomer, bounds(), silence).await;
    withstand("half a hello", Way::Tls, Notice::Newcomer, bounds(), half_hellos).await;
}

#[tokio::test]
async fn g10_more_idle_connections_than_files_cost_newcomers_little() {
    let bounds = Bounds {
        deeds: idle(),
        memory: 64,
        threads: 1,
        stays: true,
        // Half of its files are for connections; the older ones of these had to go.
        held: usize::try_from(few_files() / 3).unwrap(),
        ends: false,
    };
    withstand(
        "more than files",
        Way::FewFiles,
        Notice::Newcomer,
        bounds,
        more_than_files,
    )
    .await;
}

#[tokio::test]
async fn j13_hellos_in_single_bytes_cost_newcomers_little() {
    let bounds = Bounds {
        deeds: 5000,
        memory: 64,
        threads: 1,
        stays: true,
        held: 0,
        ends: false,
    };
    withstand(
        "hello in bytes",
        Way::Tls,
        Notice::Newcomer,
        bounds,
        hellos_in_bytes,
    )
    .await;
}

#[tokio::test]
async fn g09_windows_that_stay_shut_cost_others_little() {
    let bounds = Bounds {
        deeds: 20 * 256,
        memory: 256,
        threads: 1,
        stays: true,
        held: 0,
        ends: false,
    };
    withstand("shut windows", Way::Plain, Notice::Call, bounds, shut_windows).await;
}

#[tokio::test]
async fn g10_messages_that_stay_half_cost_others_little() {
    let bounds = Bounds {
        deeds: 20 * 256,
        memory: 256,
        threads: 1,
        stays: true,
        held: 0,
        ends: false,
    };
    withstand("half messages", Way::Plain, Notice::Call, bounds, half_messages).await;
}
