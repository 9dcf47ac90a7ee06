//! Floods and bombs of HTTP/2 frames.

use super::{Bounds, Notice, apart::Way, attack::Attacker, withstand};
use crate::raw::{PREFACE, frame, head};

const UNARY_CALL: &str = "/grpc.testing.TestService/UnaryCall";

/// What every flood is held to.
const FLOOD: Bounds = Bounds {
    deeds: 2000,
    memory: 64,
    threads: 1,
    stays: false,
    held: 0,
    ends: true,
};

fn opening() -> Vec<u8> {
    [PREFACE, &frame(4, 0, 0, &[])].concat()
}

/// A frame of every kind on a hundred new streams.
fn streams(round: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..100).flat_map(|at| one((round * 100 + at) * 2 + 1)).collect()
}

fn rapid_reset(attacker: &Attacker) {
    attacker.flood(&opening(), 100, |round| {
        streams(round, |id| {
            let reset = frame(3, 0, id, &8_u32.to_be_bytes());
            [frame(1, 0x5, id, &head(UNARY_CALL)), reset].concat()
        })
    });
}

/// Resets as a client that is within its rights makes them: never more open than allowed, each after the server has
/// seen it.
fn slow_reset(attacker: &Attacker) {
    attacker.flood(&opening(), 10, |round| {
        (0..10)
            .flat_map(|at| {
                let id = (round * 10 + at) * 2 + 1;
                let reset = frame(3, 0, id, &8_u32.to_be_bytes());
                [frame(1, 0x4, id, &head(UNARY_CALL)), reset].concat()
            })
            .collect()
    });
}

/// Each call is followed by what the server has to answer with a reset of its own.
fn made_you_reset(attacker: &Attacker) {
    attacker.flood(&opening(), 100, |round| {
        streams(round, |id| {
            let nothing = frame(8, 0, id, &0_u32.to_be_bytes());
            [frame(1, 0x5, id, &head(UNARY_CALL)), nothing].concat()
        })
    });
}

fn continuations(attacker: &Attacker) {
    let begun = [opening(), frame(1, 0, 1, &head(UNARY_CALL))].concat();
    attacker.flood(&begun, 1000, |_round| frame(9, 0, 1, &[]).repeat(1000));
}

/// The same with as much in each as a frame takes: one header that never ends.
fn full_continuations(attacker: &Attacker) {
    let begun = [opening(), frame(1, 0, 1, &head(UNARY_CALL))].concat();
    // A literal without indexing whose value is 16 MiB long (RFC 7541, sections 5.1 and 6.2.2).
    let value = [&[0, 1, b'x', 0x7f, 0x81, 0xff, 0xff, 0x07][..], &[b'y'; 16_000]].concat();
    attacker.flood(&begun, 10, move |round| match round {
        0 => frame(9, 0, 1, &value),
        _ => frame(9, 0, 1, &[b'y'; 16_384]).repeat(10),
    });
}

/// Puts an entry of 4,000 bytes into the table and names it 16,000 times with a byte each: 64 MB of headers in 16 KB.
fn hpack_bomb(attacker: &Attacker) {
    let mut block = head(UNARY_CALL);
    // A literal with incremental indexing: name `x`, a value of 4,000 bytes.
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'y'; 4000]);
    // The first entry of the dynamic table.
    let names = vec![0xbe; 12_000];
    attacker.flood(&opening(), 1, move |round| {
        let id = round * 2 + 1;
        let first = frame(1, 0x1, id, &block);
        [first, frame(9, 0, id, &names), frame(9, 0x4, id, &names)].concat()
    });
}

/// Thousands of headers without a name that anybody has seen, 60 KiB in all: just below what is refused.
fn full_heads(attacker: &Attacker) {
    let mut block = head(UNARY_CALL);
    for at in 0..1000 {
        let name = format!("x-{at:04}");
        block.extend([0, 6]);
        block.extend(name.bytes());
        block.extend([20]);
        block.extend([b'y'; 20]);
    }
    let (first, rest) = block.split_at(16_000);
    let (first, rest) = (first.to_vec(), rest.to_vec());
    attacker.flood(&opening(), 1, move |round| {
        let id = round * 2 + 1;
        let reset = frame(3, 0, id, &8_u32.to_be_bytes());
        [frame(1, 0x1, id, &first), frame(9, 0x4, id, &rest), reset].concat()
    });
}

fn pings(attacker: &Attacker) {
    attacker.flood(&opening(), 1000, |_round| frame(6, 0, 0, &[0; 8]).repeat(1000));
}

fn settings(attacker: &Attacker) {
    attacker.flood(&opening(), 1000, |_round| frame(4, 0, 0, &[]).repeat(1000));
}

fn empty_data(attacker: &Attacker) {
    let call = [opening(), frame(1, 0x4, 1, &head(UNARY_CALL))].concat();
    attacker.flood(&call, 1000, |_round| frame(0, 0, 1, &[]).repeat(1000));
}

/// Windows that are widened beyond what there is.
fn huge_windows(attacker: &Attacker) {
    let call = [opening(), frame(1, 0x4, 1, &head(UNARY_CALL))].concat();
    attacker.flood(&call, 200, |_round| {
        let wider = 0x7fff_ffff_u32.to_be_bytes();
        [frame(8, 0, 0, &wider), frame(8, 0, 1, &wider)]
            .concat()
            .repeat(100)
    });
}

/// Priorities, unknown frames and padding, which nobody needs.
fn nonsense(attacker: &Attacker) {
    let call = [opening(), frame(1, 0x4, 1, &head(UNARY_CALL))].concat();
    attacker.flood(&call, 300, |_round| {
        let padded = [&[250][..], &[0; 250]].concat();
        [
            frame(2, 0, 3, &[0, 0, 0, 0, 1]),
            frame(0xbe, 0, 0, &[0; 100]),
            frame(0, 0x8, 1, &padded),
        ]
        .concat()
        .repeat(100)
    });
}

async fn flood(what: &str, attack: fn(&Attacker)) {
    let bounds = Bounds {
        // Each of those is answered, and no more are taken than answers are read.
        ends: !matches!(what, "pings" | "settings"),
        ..FLOOD
    };
    withstand(what, Way::Plain, Notice::Call, bounds, attack).await;
}

#[tokio::test]
async fn g09_rapid_resets_cost_others_little() {
    flood("rapid reset", rapid_reset).await;
}

#[tokio::test]
async fn g09_resets_one_by_one_cost_others_little() {
    flood("resets one by one", slow_reset).await;
}

#[tokio::test]
async fn g09_resets_that_the_server_is_made_to_send_cost_others_little() {
    flood("made you reset", made_you_reset).await;
}

#[tokio::test]
async fn g09_floods_of_continuations_cost_others_little() {
    flood("empty continuations", continuations).await;
    flood("full continuations", full_continuations).await;
}

#[tokio::test]
async fn g09_header_bombs_cost_others_little() {
    flood("hpack bomb", hpack_bomb).await;
    flood("heads of 60 KiB", full_heads).await;
}

#[tokio::test]
async fn g09_floods_of_pings_and_settings_cost_others_little() {
    flood("pings", pings).await;
    flood("settings", settings).await;
}

#[tokio::test]
async fn g09_floods_of_empty_and_meaningless_frames_cost_others_little() {
    flood("empty data", empty_data).await;
    flood("huge windows", huge_windows).await;
    flood("nonsense", nonsense).await;
}
