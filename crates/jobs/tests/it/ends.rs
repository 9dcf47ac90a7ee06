//! How jobs end by themselves, what they leave, and what they used.

use std::time::Duration;

use model::Span;
use stage::{Cause, Work};

use crate::machine::{BOTH, Machine, Mode, order, script};

fn words(words: &[&str]) -> Work {
    Work::Arguments(words.iter().map(|&word| word.to_owned()).collect())
}

#[tokio::test]
async fn exit_codes_and_signals_are_kept() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        for (text, code) in [
            ("exit 0", 0),
            ("exit 3", 3),
            ("exit 255", 255),
            ("kill -SEGV $$", 139),
            ("kill -9 $$", 137),
        ] {
            let exit = machine.run(script(text)).await;
            assert_eq!(
                (exit.cause, exit.code),
                (Cause::Itself, Some(code)),
                "{mode:?} {text}"
            );
            assert!(exit.started_at <= exit.ended_at && exit.ran > Span::ZERO);
        }
    }
}

#[tokio::test]
async fn output_goes_to_its_files_in_a_working_directory_that_is_made() {
    let machine = Machine::new(Mode::Whole).await;
    let mut order = script("pwd; echo wrong >&2; echo $SOKE_JOB_NUMBER $SOKE_JOB_CORES $HOME $0");
    order.working_directory = "deep/er".to_owned();
    order.number = 42;
    let exit = machine.run(order).await;
    assert_eq!(exit.code, Some(0), "{}", exit.reason);
    let home = machine.home().canonicalize().expect("a home");
    let out = machine.read("deep/er/out");
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some(home.join("deep/er").to_str().expect("text")));
    let rest = lines.next().unwrap_or_default();
    assert!(
        rest.starts_with(&format!("42 1 {} /proc/self/fd/", home.display())),
        "{rest}"
    );
    assert_eq!(machine.read("deep/er/err"), "wrong\n");
}

#[tokio::test]
async fn one_file_may_hold_both_outputs_in_order() {
    let machine = Machine::new(Mode::Whole).await;
    let mut order = script("echo one; echo two >&2; echo three");
    order.stderr_path = order.stdout_path.clone();
    machine.run(order).await;
    assert_eq!(machine.read("out"), "one\ntwo\nthree\n");
}

#[tokio::test]
async fn a_program_runs_with_its_arguments_as_they_are() {
    let machine = Machine::new(Mode::Whole).await;
    let exit = machine
        .run(order(words(&["printf", "%s|", "a b", "$HOME", "*", ""])))
        .await;
    assert_eq!(exit.code, Some(0), "{}", exit.reason);
    assert_eq!(machine.read("out"), "a b|$HOME|*||");
}

#[tokio::test]
async fn a_script_may_name_its_interpreter() {
    let machine = Machine::new(Mode::Whole).await;
    let exit = machine
        .run(script("#!/usr/bin/env -S sed -n 2p\nsecond line\n"))
        .await;
    assert_eq!(exit.code, Some(0), "{}", exit.reason);
    assert_eq!(machine.read("out"), "second line\n");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let machine = Machine::new(Mode::Whole).await;
    let exit = machine.run(order(words(&["no-such-program-anywhere"]))).await;
    assert_eq!((exit.cause, exit.code), (Cause::NotStarted, None));
    assert!(
        exit.reason.contains("no-such-program-anywhere"),
        "{}",
        exit.reason
    );
    let mut blocked = script("true");
    blocked.working_directory = "/proc/nowhere".to_owned();
    let exit = machine.run(blocked).await;
    assert_eq!(exit.cause, Cause::NotStarted);
    assert!(exit.reason.contains("working directory"), "{}", exit.reason);
}

#[tokio::test]
async fn cpu_time_of_all_processes_and_peak_memory_are_measured() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        // Two processes that count, one of them an orphan, and 100 MB held for a moment.
        let text = "count='i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'\n\
            sh -c \"$count\"; (sh -c \"$count; touch done\" &) \n\
            while [ ! -e done ]; do sleep 0.1; done\n\
            head -c 100000000 /dev/zero | tail -c 100000000 | (sleep 0.5; wc -c)";
        let exit = machine.run(script(text)).await;
        assert_eq!(exit.code, Some(0), "{mode:?} {}", exit.reason);
        assert!(exit.cpu > Span::from_micros(200_000), "{mode:?} {:?}", exit.cpu);
        assert!(exit.cpu < Span::from_secs(60), "{mode:?} {:?}", exit.cpu);
        let peak = exit.peak_memory_bytes;
        assert!((90_000_000..260_000_000).contains(&peak), "{mode:?} {peak}");
    }
}

#[tokio::test]
async fn q06_the_time_limit_holds_by_the_monotonic_clock() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let mut order = script("trap '' TERM; while :; do sleep 1; done");
        order.time_limit = Span::from_micros(700_000);
        let id = order.id;
        let exit = machine.run(order).await;
        assert_eq!((exit.cause, exit.code), (Cause::TimeLimit, Some(137)), "{mode:?}");
        let ran = exit.ran.to_std();
        assert!(
            ran >= Duration::from_millis(1150) && ran < Duration::from_secs(8),
            "{mode:?} {ran:?}"
        );
        assert_eq!(Machine::processes_of(id), Vec::<u32>::new(), "{mode:?}");
    }
}

#[tokio::test]
async fn q11_endless_output_is_bounded_and_does_no_harm() {
    let machine = Machine::with(Mode::Whole, |config| config.file_bytes = 1 << 20).await;
    let exit = machine.run(script("yes | tr -d '\\n'")).await;
    assert_eq!(exit.cause, Cause::Itself);
    let length = std::fs::metadata(machine.home().join("out"))
        .expect("output")
        .len();
    assert_eq!(length, 1 << 20);
}
