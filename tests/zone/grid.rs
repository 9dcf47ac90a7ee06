//! Grid's door of a whole zone: `ethers` signs, plain HTTP greets, and what a wallet opens is the zone's own session.

mod deployed;
mod forwarded;
mod handshake;
mod http;
mod sessions;
mod test_zone;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{LONG, Wire, Zone, run};

const SIGNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/zone/node/wallet.mjs");

/// What ethers says of one text.
struct Signed {
    /// The address, with the capitals that ethers gives it.
    address: String,
    /// `0x` and 130 digits.
    signature: String,
}

/// A wallet of ethers with a key of its own.
#[derive(Clone)]
struct Ethers {
    key: String,
}

impl Ethers {
    fn new(number: u8) -> Self {
        Self {
            key: format!("0x{number:064x}"),
        }
    }

    /// Signs as a wallet does for people.
    fn sign(&self, text: &str) -> Signed {
        self.signed(text, false)
    }

    /// Signs the text's own hash.
    fn sign_plain(&self, text: &str) -> Signed {
        self.signed(text, true)
    }

    fn signed(&self, text: &str, plain: bool) -> Signed {
        let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
        let modules = tools.join("ethers");
        assert!(
            modules.join("stamp").exists(),
            "{} is missing: run tests/tools/install",
            modules.display()
        );
        let mut command = std::process::Command::new("node");
        command.arg(SIGNER).arg(modules);
        let asked = json!([{ "key": self.key, "text": text, "plain": plain }]);
        let said = run(command, &asked.to_string(), LONG);
        assert_eq!(said.code, Some(0), "{said:?}");
        let answer: Value = serde_json::from_str(&said.out).expect("JSON");
        let member = |name: &str| answer[0][name].as_str().expect("a text").to_owned();
        Signed {
            address: member("address"),
            signature: member("signature"),
        }
    }
}

/// Uses a secret of every sort at this door and with wallets, good ones and wrong ones, and gives all of them.
pub(crate) fn use_every_secret(zone: &Zone, wire: &Wire, bearer: &str) -> Vec<String> {
    const WRONG: &str = "canary-wrong-cookie-90b1";
    let (door, wallet) = (zone.listener("grid.http"), Ethers::new(61));
    sessions::link(wire, bearer, &wallet);
    let time = http::now().to_string();
    let signed = wallet.sign(&time);
    let proof = format!(
        "type=2&input={time}&addr={}&sig={}",
        signed.address, signed.signature
    );
    let announced = http::greet(door, &format!("type=1&input={}", signed.address), "");
    assert_eq!(announced.status, 200, "{announced:?}");
    let cookie = http::greet(door, &proof, "").cookie();
    let (name, value) = cookie.split_once('=').expect("a cookie");
    for (cookie, status) in [(&cookie, 500), (&format!("{name}={WRONG}"), 400)] {
        let deployed = http::greet(door, "type=3&input=http://x.example/m.yaml", cookie);
        assert_eq!(deployed.status, status, "{deployed:?}");
        let refused = http::ask(door, "GET", "/", &format!("cookie: {cookie}\r\n"), "");
        assert_eq!(refused.status, 400, "{refused:?}");
    }
    assert_eq!(http::greet(door, &proof, "").status, 400, "used before");
    vec![
        value.to_owned(),
        WRONG.to_owned(),
        signed.signature[2..66].to_owned(),
    ]
}

/// The bytes of a signature.
fn bytes(signature: &str) -> Vec<u8> {
    let digits = signature.strip_prefix("0x").expect("hex");
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    (0..digits.len()).step_by(2).map(pair).collect()
}
