//! buf reads our files as its users do: generated from a git address, linted, and compared with the baseline.
//!
//! The tools come from `tests/tools/install`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Runs a shell line at the repository's root, with the installed tools first on the path.
fn run(line: &str, folder: &Path) -> String {
    let root = root();
    for tool in ["target/tools/bin/buf", "target/tools/venv/bin/python"] {
        assert!(
            root.join(tool).exists(),
            "{tool} is missing: run tests/tools/install"
        );
    }
    let line = format!("PATH=\"$PWD/target/tools/bin:$PWD/target/tools/venv/bin:$PATH\"; {line}");
    let output = Command::new("sh")
        .args(["-euc", &line])
        .current_dir(&root)
        .env("T", folder)
        .env("BUF_CACHE_DIR", folder.join("cache"))
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "{line}\n{} and says:\n{said}",
        output.status
    );
    said
}

#[test]
fn buf_generates_usable_python_from_a_git_address() {
    let folder = tempfile::tempdir().unwrap();
    run(
        r#"
        mkdir "$T/soke"
        cp -R buf.yaml proto "$T/soke"
        git init --quiet --initial-branch=main "$T/soke"
        git -C "$T/soke" add .
        git -C "$T/soke" -c user.name=test -c user.email=test@localhost commit --quiet --message=all
        buf generate --template buf.gen.yaml "file://$T/soke/.git#branch=main" --output "$T/out"
        "#,
        folder.path(),
    );
    let said = run(
        r#"
        cd "$T/out/gen/python"
        for file in $(find . -name '*.py' | sed 's|^\./||; s|\.py$||; s|/|.|g'); do
            echo "import $file"
        done > "$T/all.py"
        cat >> "$T/all.py" <<'PYTHON'
from scow.portal import job_pb2, job_pb2_grpc
from soke.v1 import session_pb2_grpc
from google.type import date_pb2
request = job_pb2.SubmitJobRequest(cluster="soke", gpu_count=0, command="true")
again = job_pb2.SubmitJobRequest.FromString(request.SerializeToString())
assert again == request and again.HasField("gpu_count") and not again.HasField("qos")
assert job_pb2_grpc.JobServiceStub and session_pb2_grpc.SessionServiceServicer
assert date_pb2.Date(year=2026).year == 2026
print("modules", sum(line.startswith("import ") for line in open(__file__)))
PYTHON
        PYTHONPATH=. python "$T/all.py"
        "#,
        folder.path(),
    );
    let files = walk(&root().join("proto"));
    assert_eq!(
        said.trim(),
        format!("modules {}", 2 * files),
        "one module of messages and one of stubs per file"
    );
}

/// Counts the .proto files below a folder.
fn walk(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path)
            } else {
                usize::from(path.extension().is_some_and(|e| e == "proto"))
            }
        })
        .sum()
}

#[test]
fn buf_finds_nothing_to_say_about_our_own_packages() {
    let folder = tempfile::tempdir().unwrap();
    run("buf lint", folder.path());
    // The rule set is on: a message in camelCase is found.
    let said = run(
        r#"
        mkdir -p "$T/soke"
        cp -R buf.yaml proto "$T/soke"
        printf 'syntax = "proto3";\npackage soke.v1;\nmessage badName { string BadField = 1; }\n' \
            > "$T/soke/proto/soke/v1/bad.proto"
        if buf lint "$T/soke"; then echo unseen; fi
        "#,
        folder.path(),
    );
    assert!(
        said.contains("badName") && said.contains("BadField") && !said.contains("unseen"),
        "{said}"
    );
}

#[test]
fn buf_agrees_that_nothing_of_the_last_release_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    run("buf breaking --against proto/baseline.binpb", folder.path());
}
