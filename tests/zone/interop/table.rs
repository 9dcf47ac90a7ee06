//! The table of `docs/grpc.md`: written from what a run saw, and read back to be held to what another run sees.
//!
//! What it leaves to others: the runs.

use std::{collections::BTreeMap, fs};

use super::{
    Mode, Seen,
    peers::{Column, cases, go_is_there},
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/grpc.md");
const INSTALL: &str = include_str!("../../tools/install");
const GO: &str = include_str!("../../interop/peers/go/go.mod");

/// What stands around the table on the page.
const BEGIN: &str = "<!-- interop table, written by `make test-full` -->\n";
const END: &str = "<!-- end of the interop table -->\n";

/// What a cell says of a case that one side does not have, and of programs that were not there.
const NONE: &str = "-";
const NO_GO: &str = "no Go";

/// The page and where its table is.
pub(super) struct Table {
    before: String,
    text: String,
    after: String,
}

impl Table {
    pub(super) fn read() -> Self {
        let page = fs::read_to_string(PAGE).expect("the page is there");
        let (before, rest) = page.split_once(BEGIN).expect("the table has its first mark");
        let (text, after) = rest.split_once(END).expect("the table has its last mark");
        Self {
            before: before.to_owned(),
            text: text.to_owned(),
            after: after.to_owned(),
        }
    }

    /// Puts what was seen onto the page, where it does not stand there already.
    pub(super) fn write(&self, seen: &Seen) {
        let text = render(seen);
        if text != self.text {
            let page = [&self.before, BEGIN, &text, END, &self.after].concat();
            fs::write(PAGE, page).expect("the page is written");
        }
    }

    /// Holds the page to what was seen in these modes, and to the programs that were there.
    pub(super) fn compare(&self, seen: &Seen, modes: &[Mode]) {
        let says = "docs/grpc.md and the run differ: run `make test-full`";
        let (about, rows) = self
            .text
            .split_once("\n\n")
            .expect("a line about the table, and the table");
        // Who has no Go leaves its columns alone, whether the run that wrote them had it or not.
        let known = match go_is_there() {
            true => vec![versions(true)],
            false => vec![versions(true), versions(false)],
        };
        assert!(known.iter().any(|known| known == about), "{says}");
        let cells = cells(rows);
        let there = Column::ALL
            .into_iter()
            .filter(|column| !column.is_go() || go_is_there());
        for column in there {
            for case in cases() {
                let cell = cells.get(&(column.title().to_owned(), case.to_owned()));
                let cell = cell.unwrap_or_else(|| panic!("{says}: {}, {case}: no cell", column.title()));
                for mode in modes {
                    let passed = seen
                        .get(&(column, case))
                        .is_some_and(|modes| modes.contains_key(mode));
                    let said = cell == "all" || cell.split(", ").any(|word| word == mode.name());
                    assert_eq!(said, passed, "{says}: {}, {case}: `{cell}`", column.title());
                }
            }
        }
    }
}

/// Every cell by its column and row.
fn cells(rows: &str) -> BTreeMap<(String, String), String> {
    let mut rows = rows.lines().map(|row| {
        let row = row.trim().trim_matches('|');
        row.split('|')
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    });
    let titles = rows.next().unwrap_or_default();
    let mut cells = BTreeMap::new();
    for row in rows {
        let case = row[0].trim_matches('`').to_owned();
        for (title, cell) in titles.iter().zip(&row).skip(1) {
            cells.insert((title.clone(), case.clone()), cell.clone());
        }
    }
    cells
}

/// The value of a line in a file.
fn version<'a>(file: &'a str, name: &str) -> &'a str {
    let found = file.lines().find_map(|line| line.trim().split_once(name));
    found.map_or("?", |(_, rest)| rest.split_whitespace().next().unwrap_or("?"))
}

/// The line above the table, of a run with grpc-go or without it.
fn versions(with_go: bool) -> String {
    let grpcio = version(INSTALL, "grpcio=");
    let grpc_js = version(INSTALL, "grpc_js=");
    let go = version(GO, "google.golang.org/grpc v");
    let with = match with_go {
        true => format!("With grpcio {grpcio}, @grpc/grpc-js {grpc_js} and grpc-go {go}."),
        false => {
            format!("With grpcio {grpcio} and @grpc/grpc-js {grpc_js}; grpc-go was left out, for want of Go.")
        }
    };
    format!("{with} \"all\" is plain, TLS and mTLS.")
}

fn render(seen: &Seen) -> String {
    let titles = Column::ALL.map(Column::title).join(" | ");
    let rule = ["---"; Column::ALL.len() + 1].join(" | ");
    let about = versions(go_is_there());
    let mut text = format!("{about}\n\n| case | {titles} |\n| {rule} |\n");
    for case in cases() {
        let row = Column::ALL.map(|column| cell(seen, column, case)).join(" | ");
        text.push_str(&format!("| `{case}` | {row} |\n"));
    }
    text
}

fn cell(seen: &Seen, column: Column, case: &'static str) -> String {
    if column.is_go() && !go_is_there() {
        return NO_GO.to_owned();
    }
    let Some(modes) = seen.get(&(column, case)) else {
        return NONE.to_owned();
    };
    if modes.len() == Mode::ALL.len() {
        return "all".to_owned();
    }
    modes
        .keys()
        .map(|mode| mode.name())
        .collect::<Vec<_>>()
        .join(", ")
}
