//! The sync comes before the answer: seen in the system calls, because a kill alone proves nothing about it.

use std::collections::BTreeMap;

use crate::{
    bed::Bed,
    workload::{Ack, History, Worker, ack},
};

/// A system call as `strace` saw it; the lines of its log are in the order of what happened.
#[derive(Debug)]
struct Call {
    name: String,
    text: String,
    began: usize,
    ended: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_comes_after_the_sync_of_its_log() {
    let bed = Bed::sqlite();
    let log = bed.folder.path().join("strace");
    let mut history = History::default();
    let strace = [
        "strace",
        "--follow-forks",
        "--decode-fds=path",
        "--string-limit=9000",
        "--trace=write,pwrite64,fsync,fdatasync",
        "--output",
        log.to_str().unwrap(),
    ];
    let worker = Worker::start(&bed, &strace);
    worker.hear(&mut history, |history| history.len() >= 60);
    worker.kill(&mut history);
    history.judge(&bed).await;
    let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    let calls = calls(&text);
    let answers: Vec<(Ack, &Call)> = calls.iter().filter_map(answer).collect();
    assert!(answers.len() >= 60, "strace saw {} answers", answers.len());
    for (ack, answer) in answers {
        let mark = format!("mark-{}-{};", ack.writer, ack.n);
        let on_log = |call: &&Call| call.text.contains("store.db-wal>");
        let written = calls
            .iter()
            .filter(on_log)
            .find(|call| call.name == "pwrite64" && call.text.contains(&mark))
            .unwrap_or_else(|| panic!("{mark} was answered and never written"));
        let synced = calls.iter().filter(on_log).any(|call| {
            matches!(call.name.as_str(), "fsync" | "fdatasync")
                && call.text.ends_with("= 0")
                && call.began > written.ended
                && call.ended < answer.began
        });
        assert!(synced, "{mark} was answered before the sync of its log");
    }
}

fn answer(call: &Call) -> Option<(Ack, &Call)> {
    if call.name != "write" {
        return None;
    }
    let (_, text) = call.text.split_once('"')?;
    ack(text.split_once("\\n")?.0).map(|ack| (ack, call))
}

/// Joins the two halves of calls that others interrupted.
fn calls(text: &str) -> Vec<Call> {
    let mut done = Vec::new();
    let mut open: BTreeMap<&str, Call> = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if rest.starts_with("<... ") {
            if let Some(mut call) = open.remove(process) {
                call.text.push_str(rest);
                call.ended = at;
                done.push(call);
            }
            continue;
        }
        let Some((name, _)) = rest.split_once('(') else {
            continue;
        };
        let call = Call {
            name: name.to_owned(),
            text: rest.to_owned(),
            began: at,
            ended: at,
        };
        if rest.ends_with("<unfinished ...>") {
            open.insert(process, call);
        } else {
            done.push(call);
        }
    }
    done.sort_by_key(|call| call.began);
    done
}
