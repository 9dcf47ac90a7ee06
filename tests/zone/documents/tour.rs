//! The pages for a first user, walked in their order by somebody who does what they say, and nothing else: on three
//! machines with networks of their own, from a fresh home to the invoice.
//!
//! A block says in its first line what it is: ```` ```sh run ````, then the machine where it is not the first one
//! (`second`, `anna`), `stay` for a command that goes on, `paste=` for what the reader is told to paste, and `last` for
//! what ends the tour.

use std::{
    fs::{self, File},
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Block, Kind, blocks_of, root};
use crate::{
    harness::{LONG, SOKE, end_work, finished, run},
    two_nodes::Networks,
};

/// The pages, in the order in which a first user reads them.
pub(super) const PAGES: [&str; 6] = [
    "install.md",
    "first-machine.md",
    "second-machine.md",
    "first-job.md",
    "services.md",
    "money.md",
];

/// What the pages call the first machine.
const NAME: &str = "zone.example.org";
/// Where it stands here.
const ADDRESS: &str = "10.213.77.1";

/// What the reader is asked for by `soke password`: no password before, and a new one.
const PASSWORDS: &str = "\na password that nobody guesses\n";

/// Somebody who walks through the pages.
struct Walker {
    folder: tempfile::TempDir,
    networks: Networks,
    /// Everything that was printed so far.
    seen: String,
    staying: Vec<(String, Child)>,
}

#[test]
fn the_pages_for_a_first_user_work_as_they_stand() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(networks) = Networks::make('d') else {
        return;
    };
    let mut walker = Walker::new(networks);
    let pages = PAGES.map(|page| blocks_of(&root().join("docs").join(page)));
    let (mut tour, mut ends) = (Vec::new(), Vec::new());
    for page in pages {
        let (last, first): (Vec<Block>, Vec<Block>) =
            page.into_iter().partition(|block| block.kind.has("last"));
        tour.extend(first);
        // What was put up last is taken down first.
        ends.splice(0..0, last);
    }
    let mut seen = 0;
    for block in tour.iter().chain(&ends) {
        match &block.kind {
            Kind::Shown => {}
            Kind::File(name) => walker.write(name, &block.text),
            Kind::Run(words) => {
                walker.follow(block, words);
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "the pages have commands to run: {seen}");
}

impl Walker {
    fn new(networks: Networks) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("soke-tour-")
            .tempdir()
            .expect("a folder");
        let walker = Self {
            folder,
            networks,
            seen: String::new(),
            staying: Vec::new(),
        };
        let mut open = fs::DirBuilder::new();
        open.recursive(true).mode(0o755);
        for machine in ["first", "second", "anna"] {
            open.create(walker.home(machine)).expect("a home");
        }
        for folder in [walker.folder.path().to_owned(), walker.home("first")] {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(folder, open).expect("others may pass");
        }
        // As a build leaves it.
        let built = walker.home("first").join("target/quick");
        open.create(&built).expect("a folder");
        symlink(SOKE, built.join("soke")).expect("a link");
        walker
    }

    fn home(&self, machine: &str) -> PathBuf {
        self.folder.path().join(machine)
    }

    /// A shell on one of the machines.
    fn shell(&self, machine: &str, text: &str) -> Command {
        let network = match machine {
            "first" => &self.networks.near,
            _other => &self.networks.far,
        };
        // What is installed on the first machine was copied to the others.
        let programs = self.home("first").join(".local/bin");
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{network}"))
            .args(["bash", "-euo", "pipefail", "-c", &text.replace(NAME, ADDRESS)])
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", programs.display()),
            )
            .env("HOME", self.home(machine))
            .current_dir(self.home(machine));
        command
    }

    /// Writes a file of the first machine.
    fn write(&self, name: &str, text: &str) {
        let home = self.home("first");
        let path = match name.strip_prefix("~/") {
            Some(below) => home.join(below),
            None => home.join(name),
        };
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text.replace(NAME, ADDRESS)).expect("the file is written");
    }

    fn follow(&mut self, block: &Block, words: &[String]) {
        let machine = ["second", "anna"]
            .into_iter()
            .find(|&machine| block.kind.has(machine))
            .unwrap_or("first");
        let pasted = words.iter().find_map(|word| word.strip_prefix("paste="));
        let input = pasted.map(|what| self.paste(what, block)).unwrap_or_default();
        if block.kind.has("stay") {
            return self.stay(block, machine, &input);
        }
        let said = run(self.shell(machine, &block.text), &input, LONG);
        assert_eq!(said.code, Some(0), "{}: {said:?}\n{}", block.place, self.logs());
        self.seen.push_str(&said.out);
    }

    /// What the reader has been shown and is told to paste now.
    fn paste(&self, what: &str, block: &Block) -> String {
        let words = || self.seen.split_whitespace();
        let found = match what {
            "link" => words().rfind(|word| word.contains("#code=")),
            "token" => words().rfind(|word| word.starts_with("soke-node.")),
            "passwords" => Some(PASSWORDS),
            other => panic!("{}: nobody knows what `{other}` is", block.place),
        };
        let found = found.unwrap_or_else(|| panic!("{}: no {what} was shown: {}", block.place, self.seen));
        format!("{found}\n")
    }

    /// Starts what goes on, and waits until it says that it is there.
    fn stay(&mut self, block: &Block, machine: &str, input: &str) {
        let name = format!("{}-{machine}", self.staying.len());
        let log = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        let (out, errors) = (log("out"), log("log"));
        let mut child = self
            .shell(machine, &block.text)
            .stdin(Stdio::piped())
            .stdout(File::create(&out).expect("a file"))
            .stderr(File::create(&errors).expect("a file"))
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("it listens");
        let there = |out: &Path| {
            let said = fs::read_to_string(out).unwrap_or_default();
            said.contains("  stop ") || said.starts_with("node ")
        };
        let ready = testbed::eventually_blocking(LONG, || {
            there(&out) || child.try_wait().expect("our child").is_some()
        });
        self.staying.push((name, child));
        assert!(ready && there(&out), "{}: {}", block.place, self.logs());
        self.seen.push_str(&fs::read_to_string(&out).expect("its output"));
    }

    /// What everything that stayed has printed.
    fn logs(&self) -> String {
        let mut all = String::new();
        for (name, _child) in &self.staying {
            for ending in ["out", "log"] {
                let path = self.folder.path().join(format!("{name}.{ending}"));
                all.push_str(&format!("-- {name}.{ending}\n"));
                all.push_str(&fs::read_to_string(path).unwrap_or_default());
            }
        }
        all
    }
}

impl Drop for Walker {
    fn drop(&mut self) {
        for (_name, child) in self.staying.iter_mut().rev() {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
            if !asked || finished(child, Duration::from_secs(10)).is_none() {
                child.kill().ok();
                child.wait().ok();
            }
        }
        for machine in ["first", "second"] {
            end_work(&self.home(machine).join(".local/share/soke"));
        }
    }
}
