//! The text itself, and every change to it that must not pass.

use model::{Span, Timestamp};

use super::{Messages, Purpose};
use crate::WalletAddress;

const NOW: Timestamp = Timestamp::from_secs(1_703_757_313);

fn messages() -> Messages {
    Messages::new(&[7; 32], "zone.example", "the-zone")
}

fn wallet() -> WalletAddress {
    "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
        .parse()
        .expect("an address")
}

#[test]
fn the_text_names_host_wallet_purpose_nonce_and_time() {
    let text = messages().text(wallet(), Purpose::SignIn, &"a".repeat(32), NOW);
    let text = text.expect("a text");
    let nonce = text.lines().nth(8).expect("a line").to_owned();
    assert!(
        nonce.starts_with(&format!("Nonce: {}", "a".repeat(32))),
        "{nonce}"
    );
    let wanted = format!(
        "zone.example wants you to sign in with your Ethereum account:\n\
         0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\n\n\
         Sign in to the Soke zone the-zone.\n\n\
         URI: https://zone.example\nVersion: 1\nChain ID: 1\n{nonce}\n\
         Issued At: 2023-12-28T09:55:13Z\nExpiration Time: 2023-12-28T10:00:13Z"
    );
    assert_eq!(text, wanted);
}

#[test]
fn w06_any_other_text_is_refused() {
    let ours = messages();
    let good = ours.make(wallet(), Purpose::SignIn, NOW).expect("a text");
    let known = ours.read(&good, Purpose::SignIn, NOW).expect("its own text");
    assert_eq!(known.address, wallet());
    let other_address = "0x0d2897E7E3Ad18dF4a0571A7bacb3fFE417D3B06";
    for (what, changed) in [
        (
            "domain",
            good.replacen("zone.example wants", "evil.example wants", 1),
        ),
        (
            "uri",
            good.replace("https://zone.example", "https://evil.example"),
        ),
        ("zone", good.replace("the-zone", "another-zone")),
        ("chain", good.replace("Chain ID: 1", "Chain ID: 5")),
        (
            "address",
            good.replace("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", other_address),
        ),
        ("small letters", good.to_lowercase()),
        ("a line at the end", format!("{good}\n")),
        ("a line at the beginning", format!("\n{good}")),
        ("a line within", good.replacen("\n\n", "\n\n\n", 1)),
        ("returns", good.replace('\n', "\r\n")),
        (
            "a resource",
            format!("{good}\nResources:\n- https://evil.example"),
        ),
        (
            "a second nonce",
            good.replace("Version: 1", "Version: 1\nNonce: abc"),
        ),
        ("a later end", good.replace("10:00:13", "11:00:13")),
        ("a later begin", good.replace("09:55:13", "09:56:13")),
        ("a fraction", good.replace("09:55:13Z", "09:55:13.000Z")),
        ("nothing", String::new()),
    ] {
        assert_ne!(changed, good, "{what}");
        assert!(ours.read(&changed, Purpose::SignIn, NOW).is_none(), "{what}");
    }
}

#[test]
fn a_text_for_one_purpose_another_zone_or_a_time_gone_by_is_refused() {
    let ours = messages();
    let good = ours.make(wallet(), Purpose::SignIn, NOW).expect("a text");
    let link = ours.make(wallet(), Purpose::Link("ada"), NOW).expect("a text");
    assert!(ours.read(&link, Purpose::Link("ada"), NOW).is_some());
    assert!(ours.read(&link, Purpose::Link("bob"), NOW).is_none());
    assert!(ours.read(&link, Purpose::SignIn, NOW).is_none());
    assert!(ours.read(&good, Purpose::Link("ada"), NOW).is_none());
    let last = NOW + Span::from_secs(299);
    assert!(ours.read(&good, Purpose::SignIn, last).is_some());
    assert!(
        ours.read(&good, Purpose::SignIn, NOW + Span::from_secs(300))
            .is_none()
    );
    // The same names under another key: a text that this zone never made.
    let forged = Messages::new(&[8; 32], "zone.example", "the-zone");
    assert!(forged.read(&good, Purpose::SignIn, NOW).is_none());
    let again = ours.make(wallet(), Purpose::SignIn, NOW).expect("a text");
    assert_ne!(again, good, "no two texts are the same");
}
