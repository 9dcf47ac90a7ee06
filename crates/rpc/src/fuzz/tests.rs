//! Each function of bytes over the inputs that are kept, and over as many more as were made from them.
//!
//! The inputs are the same in every run: the number of one and the name of its function are all that it comes from.

use std::{fmt::Write as _, fs, path::Path};

use super::TARGETS;

/// The longest input.
const LONGEST: usize = 4096;

/// Numbers that lengths and limits stumble over.
const NUMBERS: [u32; 10] = [
    0,
    1,
    5,
    0x7f,
    0x80,
    0xffff,
    0x0001_0000,
    0x0040_0001,
    0x7fff_ffff,
    0xffff_ffff,
];

/// Words of the formats.
const WORDS: [&str; 28] = [
    "grpc-timeout:",
    "grpc-status:",
    "grpc-message:",
    "grpc-status-details-bin:",
    "grpc-encoding:gzip",
    "grpc-accept-encoding:",
    "identity,gzip",
    "authorization:Bearer ",
    "x-data-bin:",
    "content-type:",
    "application/grpc",
    "+json",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: ",
    " HTTP/1.1\r\n",
    "0\r\n\r\n",
    "%",
    "%C3%A4",
    "ä",
    "\u{202e}",
    "99999999",
    "H",
    "/",
    "\"",
    "{",
];

/// Random enough, and the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// An input made from those that are kept.
fn made(random: &mut Random, kept: &[Vec<u8>]) -> Vec<u8> {
    let mut input = match random.below(16) {
        0 => (0..random.below(64)).map(|_| random.byte()).collect(),
        _ => kept[random.below(kept.len())].clone(),
    };
    for _ in 0..=random.below(6) {
        change(&mut input, random, kept);
    }
    input.truncate(LONGEST);
    input
}

/// Changes one thing.
fn change(input: &mut Vec<u8>, random: &mut Random, kept: &[Vec<u8>]) {
    let at = random.below(input.len() + 1);
    let until = at + random.below(input.len() - at + 1);
    let number = NUMBERS[random.below(NUMBERS.len())].to_be_bytes();
    let mut put = |bytes: &[u8]| drop(input.splice(at..at, bytes.iter().copied()));
    match random.below(10) {
        0 => put(&[random.byte()]),
        1 => put(random.of(&WORDS).as_bytes()),
        2 => put(&number),
        3 => {
            let other = &kept[random.below(kept.len())];
            put(&other[random.below(other.len())..]);
        }
        4 => drop(input.drain(at..until)),
        5 => input.truncate(at),
        6 => {
            let again = input[at..until].to_vec();
            input.splice(until..until, again);
        }
        7 => {
            let end = (at + 4).min(input.len());
            let step = end - at;
            input[at..end].copy_from_slice(&number[..step]);
        }
        _ if at < input.len() => match random.below(2) {
            0 => input[at] ^= 1 << random.below(8),
            _ => input[at] = random.byte(),
        },
        _ => {}
    }
}

/// Tells which input it was when a function panics.
struct Shown<'a>(&'a str, &'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut text = String::new();
            for byte in self.1 {
                write!(text, "{byte:02x}").unwrap();
            }
            println!("in hexadecimal, for fuzz/corpus/{}: {text}", self.0);
        }
    }
}

fn kept(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let files = fs::read_dir(&folder).expect("there are inputs");
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 5, "{}", folder.display());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Runs one function over the inputs that are kept and those that are made.
fn run(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let kept = kept(name);
    for input in &kept {
        let _shown = Shown(name, input);
        target(input);
    }
    let count = if std::env::var_os("SOKE_TEST_FULL").is_some() {
        1_000_000
    } else {
        20_000
    };
    for number in 0..count {
        let seed = name.bytes().fold(number, |sum, byte| sum * 31 + u64::from(byte));
        let input = made(&mut Random(seed), &kept);
        let _shown = Shown(name, &input);
        target(&input);
    }
    println!("{name}: {} kept inputs and {count} made ones", kept.len());
}

#[test]
fn a_body_gives_the_same_messages_however_it_is_cut() {
    run("frames");
}

#[test]
fn a_connection_of_http_1_is_let_through_the_same_however_it_is_cut() {
    run("http1");
}

#[test]
fn a_message_in_json_comes_back_as_it_went() {
    run("json");
}

#[test]
fn a_timeout_is_read_by_its_grammar_and_said_in_it() {
    run("timeout");
}

#[test]
fn every_head_of_a_call_is_answered() {
    run("metadata");
}

#[test]
fn a_status_is_read_as_it_was_said() {
    run("status");
}
