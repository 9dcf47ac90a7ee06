//! Which crate may lean on which: the table, and nothing else. [`super::graph`] compares it with cargo's.
//!
//! ```text
//! 5 process   soke   cli
//! 4 dialects  native  agent  scow  grid  buckyos  litekube  greeter  interop, and below them caller
//! 3 slices    nodes  overlay  tree  jobs  services  files  shells  accounts
//! 2           access
//! 1 ground    store  tasks  rpc  wire  confine  stage  krpc  policy  rtcp  overlay-core
//! 0 words     model
//!   beside    gateway  runtime  and the tools: tests  testbed  bench  xtask
//! ```

/// What slices and access may stand on: the ground without `wire`, because rules know no protocol.
const GROUND: &[&str] = &[
    "store",
    "tasks",
    "rpc",
    "confine",
    "stage",
    "krpc",
    "policy",
    "rtcp",
    "overlay-core",
];

const MODEL: &[&str] = &["model"];
const WIRE: &[&str] = &["wire"];
const ACCESS: &[&str] = &["access"];
const SLICES: &[&str] = &[
    "nodes", "overlay", "tree", "jobs", "services", "files", "shells", "accounts",
];
const DIALECTS: &[&str] = &[
    "native", "agent", "scow", "grid", "buckyos", "litekube", "greeter", "interop",
];
/// What every gRPC door begins with.
const CALLER: &[&str] = &["caller"];
const BESIDE: &[&str] = &["gateway", "runtime"];
const PROCESS: &[&str] = &["soke", "cli"];
const TOOLS: &[&str] = &["tests", "bench", "fuzz"];

/// The crate that the tests of every other may use.
const TESTBED: &str = "testbed";

type Lists = &'static [&'static [&'static str]];

/// Who may lean on what. A crate is either named itself or stands for all crates of a list.
const TABLE: &[(&[&str], Lists)] = &[
    (MODEL, &[]),
    (
        &["wire", "tasks", "krpc", "policy", "rtcp", "overlay-core"],
        &[MODEL],
    ),
    (&["store", "confine"], &[MODEL, &["tasks"]]),
    (&["rpc"], &[MODEL, &["tasks", "wire"]]),
    (&["stage"], &[MODEL, &["tasks", "confine"]]),
    (ACCESS, &[MODEL, GROUND]),
    (SLICES, &[MODEL, GROUND, ACCESS]),
    (CALLER, &[MODEL, GROUND, WIRE, ACCESS]),
    (DIALECTS, &[MODEL, GROUND, WIRE, ACCESS, SLICES, CALLER]),
    (&["gateway"], &[MODEL, GROUND, WIRE, ACCESS]),
    (&["runtime"], &[MODEL, WIRE, &["rpc", "krpc", "policy", "rtcp"]]),
    (&["cli"], &[MODEL, WIRE, &["rpc", "tasks", "runtime"]]),
    (
        &["soke"],
        &[MODEL, GROUND, ACCESS, SLICES, DIALECTS, BESIDE, &["cli"]],
    ),
    (
        TOOLS,
        &[
            MODEL,
            GROUND,
            WIRE,
            ACCESS,
            SLICES,
            CALLER,
            DIALECTS,
            BESIDE,
            PROCESS,
            &[TESTBED],
        ],
    ),
    (&[TESTBED, "xtask"], &[]),
];

/// What the table says about one crate leaning on another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The edge is in the table.
    Allowed,
    /// It is not; the text says what to do.
    Refused(&'static str),
    /// The table does not know the crate that leans.
    Unknown,
}

/// Judges the edge from one crate of the workspace to another.
pub(crate) fn judge(from: &str, to: &str) -> Verdict {
    let Some((_, lists)) = TABLE.iter().find(|(names, _)| names.contains(&from)) else {
        return Verdict::Unknown;
    };
    if lists.iter().any(|list| list.contains(&to)) {
        return Verdict::Allowed;
    }
    Verdict::Refused(match (from, to) {
        _ if SLICES.contains(&from) && SLICES.contains(&to) => {
            "declare what it needs as a trait in its own words and join the two in soke/src/wiring"
        }
        (_, "wire") => {
            "keep the protocol in a dialect: only rpc, dialects, gateway, runtime and cli use wire"
        }
        ("cli", _) => "ask the server: the command line is a client of the wire and nothing else",
        ("gateway", _) => "hand it routes and services as values from soke",
        _ => "lean down only; the table is xtask/src/check/layers.rs",
    })
}

/// Whether the tests of a crate may use what the crate itself may not: the waiting of [`TESTBED`], and in the
/// whole-zone tests, which cargo builds with the binary, the wire that they speak as clients.
pub(crate) fn is_for_tests(from: &str, to: &str) -> bool {
    to == TESTBED || (from == "soke" && to == "wire")
}

/// Whether the table knows the crate.
pub(crate) fn knows(name: &str) -> bool {
    TABLE.iter().any(|(names, _)| names.contains(&name))
}
