//! Manifests as they are read, and everything that is refused.

use std::collections::BTreeMap;

use stage::Work;

use super::{Draft, Fault, read};

fn draft(text: &str) -> Draft {
    read(text).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(text: &str) -> Vec<Fault> {
    read(text).expect_err("it is refused")
}

#[test]
fn every_key_is_read() {
    let text = "kind: Process\nname: hello\ncommand: [python3, -m, http.server, \"8000\"]\nport: 8000\n\
        environment:\n  GREETING: good morning\n  DEBUG: no\n  LEVEL: 07\n  EMPTY:\n\
        health_path: /healthz?full=1\nworking_directory: site\nmemory_mib: 512\n";
    let words = ["python3", "-m", "http.server", "8000"].map(str::to_owned);
    let environment = [
        ("GREETING", "good morning"),
        ("DEBUG", "no"),
        ("LEVEL", "07"),
        ("EMPTY", ""),
    ];
    let environment: BTreeMap<String, String> = environment
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let expected = Draft {
        name: "hello".parse().expect("a name"),
        work: Work::Arguments(words.to_vec()),
        port: Some(8000),
        environment,
        health_path: Some("/healthz?full=1".to_owned()),
        working_directory: "site".to_owned(),
        memory_bytes: Some(512 << 20),
    };
    assert_eq!(draft(text), expected);
}

#[test]
fn what_is_not_given_is_left_open_and_a_text_is_a_script() {
    let text =
        "---\n# a comment\nkind: Process\nname: web\ncommand: |\n  exec python3 -m http.server $PORT\n...\n";
    let found = draft(text);
    assert_eq!(
        found.work,
        Work::Script("exec python3 -m http.server $PORT\n".to_owned())
    );
    assert_eq!(
        (found.port, found.health_path, found.memory_bytes),
        (None, None, None)
    );
    assert!(found.environment.is_empty() && found.working_directory.is_empty());
}

#[test]
fn all_faults_are_told_at_once_with_their_lines() {
    let text = "kind: Deployment\nname: Hello\ncommand: []\nport: 80\nreplicas: 3\nhealth_path: healthz\n\
        environment:\n  1ST: a\n  PORT: 1\n  SOKE_X: 1\nmemory_mib: much\n";
    let found: Vec<(String, bool)> = faults(text)
        .into_iter()
        .map(|fault| (fault.field, fault.what.contains("(line ")))
        .collect();
    let names = [
        "replicas",
        "kind",
        "name",
        "command",
        "port",
        "environment.1ST",
        "environment.PORT",
        "environment.SOKE_X",
        "health_path",
        "memory_mib",
    ];
    assert_eq!(found, names.map(|name| (name.to_owned(), true)).to_vec());
}

#[test]
fn each_bad_text_is_refused_with_what_is_wrong() {
    let good = "kind: Process\nname: a\ncommand: [a]\n";
    for (text, field, what) in [
        ("", "manifest", "is empty"),
        ("just words", "manifest", "is no set of keys"),
        ("- a\n- b\n", "manifest", "is no set of keys"),
        ("kind: [", "manifest", "is no YAML"),
        ("kind: Process\n\tname: a\n", "manifest", "is no YAML"),
        ("a: &x 1\nb: *x\n", "manifest", "anchor"),
        ("kind: !!str Process\n", "manifest", "a tag"),
        ("? [a]\n: b\n", "manifest", "a key that is no text"),
        (&format!("{good}---\n{good}"), "manifest", "a second document"),
        (&format!("{good}x: {}1", "[".repeat(5000)), "manifest", "is"),
        (
            &format!("{good}x: {}{}", "[".repeat(20), "]".repeat(20)),
            "manifest",
            "too deep",
        ),
        (&format!("{good}name: b\n"), "name", "is there twice"),
        (&format!("{good}port: 0x1f90\n"), "port", "is `0x1f90`"),
        (&format!("{good}port: 65536\n"), "port", "is `65536`"),
        (&format!("{good}port: -1\n"), "port", "is `-1`"),
        (&format!("{good}port: [8000]\n"), "port", "no single value"),
        (
            &format!("{good}health_path: \"/a b\"\n"),
            "health_path",
            "is `/a b`",
        ),
        (
            &format!("{good}health_path: \"/a\\r\\nX: 1\"\n"),
            "health_path",
            "is `/a\\r\\nX: 1`",
        ),
        (
            &format!("{good}environment: [A]\n"),
            "environment",
            "no set of names",
        ),
        (
            &format!("{good}environment: {{ A: {{}} }}\n"),
            "environment.A",
            "no single value",
        ),
        (
            &format!("{good}environment: {{ A: 1, A: 2 }}\n"),
            "environment.A",
            "twice",
        ),
        (
            &format!("{good}environment: {{ A: \"\\0\" }}\n"),
            "environment.A",
            "zero byte",
        ),
        (
            &format!("{good}working_directory: \"a\\0\"\n"),
            "working_directory",
            "no path",
        ),
        ("kind: Process\nname: a\ncommand: {}\n", "command", "neither"),
        ("kind: Process\nname: a\ncommand: \"\"\n", "command", "is empty"),
        (
            "kind: Process\nname: a\ncommand: [\"\"]\n",
            "command",
            "names no program",
        ),
        (
            "kind: Process\nname: a\ncommand: [a, [b]]\n",
            "command",
            "no word",
        ),
        ("kind: Process\nname: a\n", "command", "is missing"),
        ("kind: Process\ncommand: [a]\n", "name", "is missing"),
        ("name: a\ncommand: [a]\n", "kind", "is missing"),
        ("kind: Process\nname: a b\ncommand: [a]\n", "name", "is no name"),
    ] {
        let found = faults(text);
        let fits = |fault: &Fault| fault.field == field && fault.what.contains(what);
        assert!(found.iter().any(fits), "{text:.80}: {found:?}");
    }
}

#[test]
fn a_text_that_is_too_long_is_not_even_looked_at() {
    let text = "#".repeat(super::MOST_BYTES + 1);
    assert_eq!(faults(&text)[0].what, "is too long");
}

#[test]
fn what_a_fault_repeats_of_the_text_is_short_and_harmless() {
    let text = format!("kind: \"\\e[31m{}\"\nname: a\ncommand: [a]\n", "x".repeat(500));
    let fault = &faults(&text)[0];
    assert!(
        fault.what.len() < 200 && !fault.what.contains('\u{1b}'),
        "{fault}"
    );
}
