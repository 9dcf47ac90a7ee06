//! The cookie of this door: `cpuser_<address>`, with a secret as its value.
//!
//! Section 5 of the contract has the name; value, end and attributes are Soke's. What it leaves to others: whether a
//! cookie is good (`access`).

use access::{Credential, Secret, WalletAddress};
use http::{HeaderMap, HeaderValue, header};

/// What the name of every cookie of this door begins with.
const BEGINNING: &str = "cpuser_";
/// The name's end where a zone for tests was given no wallet.
const NOBODY: &str = "test";
/// How many cookies of this door are looked at in one request.
const MOST: usize = 4;

/// Tells whether a cookie of this name is a credential of this door. Services neither see nor set it.
#[must_use]
pub fn owns(name: &str) -> bool {
    name.starts_with(BEGINNING)
}

/// The name of the cookie of a wallet, or of nobody in a zone for tests.
pub(crate) fn name(address: Option<WalletAddress>) -> String {
    match address {
        Some(address) => format!("{BEGINNING}{address}"),
        None => format!("{BEGINNING}{NOBODY}"),
    }
}

/// Every cookie of this door in a request, in order.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _value)| owns(name))
}

/// The credentials that a request shows. A name that this door never gives is passed over.
pub(crate) fn shown(headers: &HeaderMap, test: bool) -> Vec<Credential> {
    let ours = |name: &str| {
        let of = name.strip_prefix(BEGINNING).unwrap_or_default();
        let wallet = of.parse::<WalletAddress>();
        wallet.is_ok_and(|wallet| wallet.to_string() == of) || (test && of == NOBODY)
    };
    pairs(headers)
        .filter(|(name, _value)| ours(name))
        .take(MOST)
        .map(|(name, value)| Credential::Cookie {
            name: name.to_owned(),
            secret: Secret::from(value.to_owned()),
        })
        .collect()
}

/// Puts a fresh cookie into an answer, and ends every other one of this door that the request showed: whoever changes
/// their wallet is one person at a time.
pub(crate) fn give(
    answer: &mut HeaderMap,
    request: &HeaderMap,
    name: &str,
    secret: &Secret,
    life_secs: i64,
    tls: bool,
) {
    let secure = if tls { "; Secure" } else { "" };
    let mut set = |name: &str, value: &str, age: i64| {
        let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        if let Ok(mut header) = HeaderValue::from_str(&text) {
            header.set_sensitive(true);
            answer.append(header::SET_COOKIE, header);
        }
    };
    set(name, secret.expose(), life_secs);
    let others = pairs(request)
        .map(|(other, _value)| other)
        .filter(|other| *other != name);
    for other in others.take(MOST) {
        set(other, "", 0);
    }
}
