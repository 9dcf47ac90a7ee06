//! Grid's door of a whole zone: `ethers` signs, plain HTTP greets, and what a wallet opens is the zone's own session.

mod handshake;
mod http;
mod sessions;
mod test_zone;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{LONG, run};

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

/// The bytes of a signature.
fn bytes(signature: &str) -> Vec<u8> {
    let digits = signature.strip_prefix("0x").expect("hex");
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    (0..digits.len()).step_by(2).map(pair).collect()
}
