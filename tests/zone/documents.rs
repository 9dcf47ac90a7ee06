//! The commands that the documents show to a reader: each `soke ..` is a command of the binary, each block marked
//! `sh run` works, on a zone as the first run leaves it or as a part of the first user's tour, each setting that is
//! explained exists, and each decision is listed.
//!
//! What it leaves to others: `make` targets and links (`cargo xtask check`).

mod tour;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{LONG, SOKE, Zone, run};

/// A fenced block of commands, or the text of a file.
struct Block {
    place: String,
    kind: Kind,
    text: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Shown,
    /// It is run, in a way that these words tell.
    Run(Vec<String>),
    /// The commands after it find this file.
    File(String),
}

impl Kind {
    fn of(language: &str) -> Option<Self> {
        match language.split_once(' ') {
            None if language == "sh" => Some(Self::Shown),
            Some(("sh", how)) => {
                let words: Vec<String> = how.split(' ').map(str::to_owned).collect();
                assert_eq!(words[0], "run", "a block is marked `sh {how}`");
                Some(Self::Run(words))
            }
            Some(("yaml" | "toml", name)) => Some(Self::File(name.to_owned())),
            None | Some(_) => None,
        }
    }

    /// Whether it is run in this way.
    fn has(&self, word: &str) -> bool {
        matches!(self, Self::Run(words) if words.iter().any(|one| one == word))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documents that speak to somebody who uses Soke.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).expect("the folder docs");
    let pages = docs.map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<PathBuf> = pages
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

/// Every block marked `sh`, `sh run` or as a file, in the order of the documents.
fn blocks() -> Vec<Block> {
    documents().iter().flat_map(|path| blocks_of(path)).collect()
}

/// Those of one document.
fn blocks_of(path: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let text = fs::read_to_string(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let mut open: Option<Option<Block>> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim().strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Kind::of(language).map(|kind| Block {
                    place: format!("{}:{}", path.display(), index + 1),
                    kind,
                    text: String::new(),
                }));
            }
            (Some(_), Some(block)) => blocks.extend(block),
            (None, Some(mut block)) => {
                if let Some(block) = &mut block {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn every_soke_command_that_a_document_shows_is_one_of_the_binary() {
    let mut seen = 0;
    for block in blocks()
        .iter()
        .filter(|block| !matches!(block.kind, Kind::File(_)))
    {
        for line in block.text.lines() {
            let words: Vec<&str> = line
                .split_whitespace()
                .take_while(|word| *word != "#" && *word != "--" && *word != "|")
                .collect();
            let [program, words @ ..] = words.as_slice() else {
                continue;
            };
            if *program != "soke" || words.first().is_none_or(|word| word.starts_with('-')) {
                continue;
            }
            // `soke user add anna` is asked as `soke help user add`: what is no subcommand is an argument.
            let known = |depth: usize| {
                let mut command = Command::new(SOKE);
                let names = words.iter().take_while(|word| !word.starts_with('-'));
                command.arg("help").args(names.take(depth)).env_clear();
                run(command, "", LONG)
            };
            let help = known(1);
            assert_eq!(help.code, Some(0), "{}: `{line}`: {help:?}", block.place);
            let deeper = if help.out.contains("Commands:") {
                known(2)
            } else {
                help
            };
            assert_eq!(deeper.code, Some(0), "{}: `{line}`: {deeper:?}", block.place);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(
                    deeper.out.contains(option),
                    "{}: `{line}`: no {option}",
                    block.place
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 5, "the documents show commands");
}

#[test]
fn every_block_to_run_works_on_the_zone_of_a_first_run() {
    let mut zone = Zone::builder().argument("--story").prepare();
    symlink(zone.data(), zone.around().join(".soke")).expect("a link");
    zone.start();
    let binary = Path::new(SOKE).parent().expect("a folder");
    let of_the_tour = |path: &PathBuf| tour::PAGES.iter().any(|page| path.ends_with(page));
    let mut pages = documents();
    pages.retain(|path| !of_the_tour(path));
    let mut seen = 0;
    for block in pages.iter().flat_map(|path| blocks_of(path)) {
        if let Kind::File(name) = &block.kind {
            fs::write(zone.around().join(name), &block.text).expect("the file is written");
        }
        if !block.kind.has("run") {
            continue;
        }
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", &block.text])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", binary.display()))
            .env("HOME", zone.around())
            .current_dir(zone.around());
        let said = run(shell, "", LONG);
        assert_eq!(said.code, Some(0), "{}: {said:?}\n{}", block.place, zone.log());
        seen += 1;
    }
    assert!(seen > 0, "a document has a block to run");
}

#[test]
fn the_page_on_configuration_explains_every_setting_and_no_other() {
    let zone = Zone::builder().prepare();
    let shown = zone.good(&["config", "show"]);
    let mut section = String::new();
    let mut settings = Vec::new();
    for line in shown.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, _value)) = line.trim_start_matches("# ").split_once([' ', '='])
            && !section.is_empty()
        {
            settings.push(format!("{section}.{key}"));
        }
    }
    let page = fs::read_to_string(root().join("docs/configuration.md")).expect("the page");
    let explained = page.lines().filter_map(|line| {
        let (key, _rest) = line.strip_prefix("| `")?.split_once('`')?;
        key.contains('.').then(|| key.to_owned())
    });
    let mut explained: Vec<String> = explained.collect();
    explained.sort();
    settings.sort();
    assert_eq!(explained, settings);
}

#[test]
fn every_decision_stands_in_their_list() {
    let folder = root().join("docs/decisions");
    let list = fs::read_to_string(folder.join("README.md")).expect("a text");
    let entries = fs::read_dir(&folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let records: Vec<String> = names.filter(|name| name != "README.md").collect();
    assert!(records.len() >= 24, "{records:?}");
    for name in records {
        let line = format!("| [{}]({name}) | ", &name[..4]);
        let listed = list.lines().any(|listed| listed.starts_with(&line));
        assert!(listed, "not in the list: {name}");
    }
}
