//! The contract's table on the handshake (HTTP, section 3) with three columns: what the document says, what the
//! programs do (C0 of December 2023, M of June 2024), and what Soke does.
//!
//! A row in which Soke differs from the document says why; a row without a reason must be the document's.

use grid::NotDeployed;
use http::Method;

use crate::bed::Bed;

type Cell = (u16, &'static str);

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Nobody known.
    Nobody,
    /// A wallet that was announced.
    Announced,
    /// Somebody with a cookie.
    Known,
    /// Somebody with a cookie whose deployment fails.
    Failing,
    /// Somebody with a cookie of an old kind: a name, an end and a mark.
    Old,
}

struct Row {
    caller: Caller,
    /// The parameters; `$input`, `$time`, `$old`, `$addr`, `$sig` and `$oldsig` are filled in.
    query: &'static str,
    document: Option<Cell>,
    c0: Cell,
    m: Cell,
    soke: Cell,
    /// Why Soke differs from the document, or what it does where the document is silent.
    why: &'static str,
}

const LEASE: Cell = (200, r#"{"msg":"[ACK] the lease is acceptable"}"#);
const AUTHORIZED: Cell = (200, r#"{"msg":"[ACK] $addr authorized ok"}"#);
const NO_ADDRESS: Cell = (400, r#"{"msg":"[Fail] no user address is provided"}"#);
const NO_ADDRESS_M: Cell = (400, r#"{"msg":"[Fail] missing address in request"}"#);
const VERIFIED: Cell = (200, r#"{"msg":"[ACK] already authorized"}"#);
const VERIFIED_M: Cell = (200, r#"{"cookie":"$cookie","msg":"[ACK] already authorized"}"#);
const NOT_VERIFIED: Cell = (400, r#"{"msg":"[Fail] Failed to verify your account"}"#);
const NOT_VERIFIED_C0: Cell = (400, r#"{"msg":"[Fail] Failed to verify your signature"}"#);
const DEPLOYED: Cell = (200, r#"{"msg":"[ACK] deployed ok"}"#);
const EMPTY: Cell = (400, r#"{"msg":"[Fail] empty deployment"}"#);
const EMPTY_M: Cell = (400, r#"{"msg":"[Fail] missing yaml resource"}"#);
const NOT_AUTHORIZED: Cell = (400, r#"{"msg":"[Fail] user is not authorized"}"#);
const BAD_COOKIE: Cell = (400, r#"{"err":"invalid cookie"}"#);
const BAD_COOKIE_M: Cell = (400, r#"{"err":"invalid cookie: no valid cookie found"}"#);
const UNSUPPORTED: Cell = (400, r#"{"err":"unsupported msg type"}"#);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { caller: Caller::Nobody, query: "type=0&input=0x1234", document: Some(LEASE), c0: LEASE, m: LEASE, soke: LEASE, why: "" },
    Row { caller: Caller::Nobody, query: "type=0", document: None, c0: LEASE, m: LEASE, soke: LEASE, why: "the input may be absent" },
    Row { caller: Caller::Nobody, query: "type=1&input=$addr", document: Some(AUTHORIZED), c0: AUTHORIZED, m: AUTHORIZED, soke: AUTHORIZED, why: "" },
    Row { caller: Caller::Nobody, query: "type=1&input=", document: Some(NO_ADDRESS), c0: NO_ADDRESS, m: NO_ADDRESS_M, soke: NO_ADDRESS, why: "" },
    Row { caller: Caller::Nobody, query: "type=1", document: Some(NO_ADDRESS), c0: NO_ADDRESS, m: NO_ADDRESS_M, soke: NO_ADDRESS, why: "" },
    Row { caller: Caller::Nobody, query: "type=1&input=%3Cb%3E", document: None, c0: (200, r#"{"msg":"[ACK] \u003cb\u003e authorized ok"}"#), m: (200, r#"{"msg":"[ACK] \u003cb\u003e authorized ok"}"#), soke: NO_ADDRESS, why: "any text was an account; an address has 20 bytes" },
    Row { caller: Caller::Nobody, query: "type=1&input=0x", document: None, c0: (200, r#"{"msg":"[ACK] 0x authorized ok"}"#), m: (200, r#"{"msg":"[ACK] 0x authorized ok"}"#), soke: NO_ADDRESS, why: "this one let any junk signature in" },
    Row { caller: Caller::Announced, query: "type=2&input=$time&addr=$addr&sig=$sig", document: Some(VERIFIED), c0: VERIFIED, m: VERIFIED_M, soke: VERIFIED, why: "" },
    Row { caller: Caller::Nobody, query: "type=2&input=$time&addr=$addr&sig=$sig", document: Some(NOT_VERIFIED), c0: NOT_VERIFIED_C0, m: NOT_VERIFIED_C0, soke: NOT_VERIFIED, why: "" },
    Row { caller: Caller::Announced, query: "type=2&input=$old&addr=$addr&sig=$oldsig", document: Some(NOT_VERIFIED), c0: NOT_VERIFIED_C0, m: VERIFIED_M, soke: NOT_VERIFIED, why: "" },
    Row { caller: Caller::Announced, query: "type=2&input=$time&addr=$addr&sig=$oldsig", document: Some(NOT_VERIFIED), c0: NOT_VERIFIED_C0, m: NOT_VERIFIED_C0, soke: NOT_VERIFIED, why: "" },
    Row { caller: Caller::Announced, query: "type=2&input=$time&addr=$addr", document: None, c0: NOT_VERIFIED_C0, m: NOT_VERIFIED_C0, soke: NOT_VERIFIED, why: "a missing parameter is a proof that is not good" },
    Row { caller: Caller::Announced, query: "type=2&input=$time&sig=$sig", document: None, c0: NOT_VERIFIED_C0, m: NOT_VERIFIED_C0, soke: NOT_VERIFIED, why: "a missing parameter is a proof that is not good" },
    Row { caller: Caller::Announced, query: "type=2", document: None, c0: NOT_VERIFIED_C0, m: NOT_VERIFIED_C0, soke: NOT_VERIFIED, why: "a missing parameter is a proof that is not good" },
    Row { caller: Caller::Announced, query: "type=2&input=$time&addr=$addr&sig=0x", document: None, c0: NOT_VERIFIED_C0, m: (500, ""), soke: NOT_VERIFIED, why: "an empty signature is refused as any other bad one" },
    Row { caller: Caller::Announced, query: "type=2&input=%2B$time&addr=$addr&sig=$sig", document: None, c0: NOT_VERIFIED_C0, m: NOT_VERIFIED_C0, soke: NOT_VERIFIED, why: "a time has one form" },
    Row { caller: Caller::Announced, query: "type=2&input=cheat&addr=$addr", document: Some(VERIFIED), c0: VERIFIED, m: VERIFIED_M, soke: NOT_VERIFIED, why: "the test word lets anybody in as anybody; Soke has none outside of a zone for tests" },
    Row { caller: Caller::Known, query: "type=3&input=http://download.yaml", document: Some(DEPLOYED), c0: DEPLOYED, m: DEPLOYED, soke: DEPLOYED, why: "" },
    Row { caller: Caller::Known, query: "type=3&input=", document: Some(EMPTY), c0: EMPTY, m: EMPTY_M, soke: EMPTY, why: "" },
    Row { caller: Caller::Known, query: "type=3&local=/etc/passwd", document: Some(EMPTY), c0: DEPLOYED, m: DEPLOYED, soke: EMPTY, why: "" },
    Row { caller: Caller::Nobody, query: "type=3&input=http://download.yaml", document: Some(NOT_AUTHORIZED), c0: BAD_COOKIE, m: BAD_COOKIE_M, soke: NOT_AUTHORIZED, why: "" },
    Row { caller: Caller::Nobody, query: "type=3", document: None, c0: BAD_COOKIE, m: BAD_COOKIE_M, soke: NOT_AUTHORIZED, why: "the cookie is looked at before the input" },
    Row { caller: Caller::Old, query: "type=3&input=http://download.yaml", document: Some(NOT_AUTHORIZED), c0: BAD_COOKIE, m: DEPLOYED, soke: NOT_AUTHORIZED, why: "" },
    Row { caller: Caller::Failing, query: "type=3&input=http://download.yaml", document: None, c0: (500, r#"{"msg":"[Fail] Failed to deploy"}"#), m: (500, r#"{"msg":"[Fail] Failed to deploy: <reason>"}"#), soke: (500, r#"{"msg":"[Fail] Failed to deploy: the origin is not one of \u003cthese\u003e"}"#), why: "the program's text with a reason that is safe to show" },
    Row { caller: Caller::Known, query: "type=4&input=1", document: Some(UNSUPPORTED), c0: UNSUPPORTED, m: DEPLOYED, soke: UNSUPPORTED, why: "" },
    Row { caller: Caller::Nobody, query: "type=00", document: Some(UNSUPPORTED), c0: UNSUPPORTED, m: UNSUPPORTED, soke: UNSUPPORTED, why: "" },
    Row { caller: Caller::Nobody, query: "type=cookie", document: Some(UNSUPPORTED), c0: UNSUPPORTED, m: UNSUPPORTED, soke: UNSUPPORTED, why: "" },
    Row { caller: Caller::Nobody, query: "", document: Some(UNSUPPORTED), c0: UNSUPPORTED, m: UNSUPPORTED, soke: UNSUPPORTED, why: "" },
];

/// A cookie as the later programs made it, with their shipped default key (`memo.io`).
const OLD_COOKIE: &str = "cpuser_0x7e5f4552091a69125d5dfcb7b8c2659029395bdf=\
                          1703843713_ydfgt-B07o0sOsk5AY3kkRSUqjMJtcCDPnBa5NT0Dkw";

#[tokio::test]
async fn every_row_of_the_contract_is_answered_as_the_table_says() {
    for (place, row) in TABLE.iter().enumerate() {
        let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
        let now = bed.clock.now().secs();
        let (time, old) = (now.to_string(), (now - 60).to_string());
        let cookie = match row.caller {
            Caller::Nobody | Caller::Announced => String::new(),
            Caller::Known | Caller::Failing => {
                bed.pass(-1);
                let cookie = bed.cookie(&wallet).await;
                bed.pass(1);
                cookie
            }
            Caller::Old => OLD_COOKIE.to_owned(),
        };
        if row.caller == Caller::Announced {
            bed.greet(&format!("type=1&input={}", wallet.address()), "").await;
        }
        if row.caller == Caller::Failing {
            let reason = "the origin is not one of <these>".to_owned();
            bed.services.refuse(Some(NotDeployed::Failed(reason)));
        }
        let query = row
            .query
            .replace("$oldsig", &wallet.sign_plain(&old))
            .replace("$old", &old)
            .replace("$time", &time)
            .replace("$addr", &wallet.address())
            .replace("$sig", &wallet.sign_plain(&time));
        let said = bed.greet(&query, &cookie).await;
        let wanted = row.soke.1.replace("$addr", &wallet.address());
        assert_eq!(
            (said.status, said.body.as_str()),
            (row.soke.0, wanted.as_str()),
            "row {place}: {}",
            row.query
        );
        let kind = said.headers.get("content-type").map(|kind| kind.as_bytes());
        assert_eq!(
            kind,
            Some(b"application/json; charset=utf-8".as_slice()),
            "row {place}"
        );
        assert_eq!(
            said.set_cookies().len(),
            usize::from(row.soke == VERIFIED),
            "row {place}"
        );
        // A body never holds a cookie, and W09: no other origin is let in.
        assert!(!said.body.contains("cookie") && !said.headers.contains_key("access-control-allow-origin"));
    }
}

#[test]
fn soke_is_the_document_where_it_speaks_unless_a_row_says_why() {
    for (place, row) in TABLE.iter().enumerate() {
        let explained = !row.why.is_empty();
        assert_eq!(
            row.document != Some(row.soke),
            explained,
            "row {place}: {}",
            row.query
        );
        // What a client can rely on with all of them: the status and the first word.
        let ack = |cell: Cell| cell.0 == 200 && cell.1.contains("[ACK]");
        if row.document.is_some_and(|document| ack(document) == ack(row.c0)) && !explained {
            assert_eq!(ack(row.soke), ack(row.c0), "row {place}");
        }
        assert!(ack(row.m) || row.m.0 >= 400, "row {place}");
    }
}

#[tokio::test]
async fn only_get_on_exactly_this_path_is_the_handshake() {
    let bed = Bed::new().await;
    for (method, target) in [
        (Method::POST, "/greet?type=0"),
        (Method::HEAD, "/greet?type=0"),
        (Method::OPTIONS, "/greet?type=0"),
        (Method::GET, "/greet/?type=0"),
        (Method::GET, "/Greet?type=0"),
        (Method::GET, "/greet/cookie?user=x"),
        (Method::GET, "/?type=0"),
        (Method::DELETE, "/a/b"),
    ] {
        let said = bed.said(method.clone(), target, &[]).await;
        let wanted = r#"{"msg":"[Fail] user is not authorized"}"#;
        assert_eq!(
            (said.status, said.body.as_str()),
            (400, wanted),
            "{method} {target}"
        );
    }
}
