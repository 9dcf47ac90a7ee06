//! `cargo xtask check` fails on each breach of a rule, with the line and the cure: one small workspace per rule.

mod fixture;
mod tools;

use anyhow::Result;

use fixture::{Fixture, member};

#[test]
fn a_clean_workspace_passes() -> Result<()> {
    let tree = Fixture::new()?;
    assert_eq!(tree.all_breaches()?, [""; 0]);
    assert_eq!(tree.breaches_of_build()?, [""; 0]);
    Ok(())
}

/// The compiler's part runs for real: with the workspace's own lint table on crates that break it, on its own and on
/// the way to the tests, and once more when nothing is left to compile. A lint that is denied stops nothing.
#[test]
fn the_compiler_finds_what_is_undocumented_unformatted_or_misused() -> Result<()> {
    let tree = Fixture::new()?;
    tree.append("crates/jobs/src/lib.rs", "\npub fn submit() {}\n")?;
    tree.append(
        "crates/files/src/lib.rs",
        "\n/// Lists, as [`Nothing`] does.\npub fn list() {   }\n",
    )?;
    tree.append(
        "crates/store/src/lib.rs",
        "\n/// Reads.\npub fn read(text: &str) -> u8 {\n    text.parse().unwrap()\n}\n",
    )?;
    tree.append(
        "crates/tasks/src/lib.rs",
        "\n/// Says nothing new.\npub fn same(left: u8) -> bool {\n    left == left\n}\n",
    )?;
    tree.write(
        "crates/jobs/tests/it.rs",
        "//! Tests.\n#[test]\nfn fits() {\n    todo!()\n}\n",
    )?;
    tree.write(
        "crates/jobs/src/bin/tool.rs",
        "//! A tool.\n\n/// Ends, as [`Nobody`] does.\nfn main() {}\n",
    )?;
    let expected = [
        ("crates/files/src/lib.rs:1: not formatted", "cargo fmt"),
        (
            "crates/files/src/lib.rs:3: unresolved link to `Nothing` [rustdoc::broken_intra_doc_links]",
            "cure",
        ),
        (
            "crates/jobs/src/bin/tool.rs:3: unresolved link to `Nobody` [rustdoc::broken_intra_doc_links]",
            "cure",
        ),
        (
            "crates/jobs/src/lib.rs:3: missing documentation for a function [missing_docs]",
            "mend",
        ),
        (
            "crates/jobs/tests/it.rs:4: `todo` should not be present in production code [clippy::todo]",
            "cure",
        ),
        (
            "crates/store/src/lib.rs:5: used `unwrap()` on a `Result` value [clippy::unwrap_used]",
            "cure",
        ),
        (
            "crates/tasks/src/lib.rs:5: equal expressions as operands to `==` [clippy::eq_op]",
            "cure",
        ),
    ];
    for found in [
        tree.all_breaches()?,
        tree.breaches_of_build()?,
        tree.breaches_of_build()?,
    ] {
        for ((start, cure), line) in expected.iter().zip(&found) {
            assert!(line.starts_with(start) && line.contains(cure), "{found:#?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }
    Ok(())
}

#[test]
fn a_slice_that_imports_a_slice_fails() -> Result<()> {
    let tree = Fixture::new()?;
    tree.append("crates/jobs/Cargo.toml", "files.workspace = true\n")?;
    let cure = "declare what it needs as a trait in its own words and join the two in soke/src/wiring";
    assert_eq!(
        tree.breaches()?,
        [format!(
            "crates/jobs/Cargo.toml:13: `jobs` leans on `files`; cure: {cure}"
        )]
    );
    Ok(())
}

#[test]
fn a_room_that_leans_up_or_uses_the_wire_fails() -> Result<()> {
    let tree = Fixture::new()?;
    for name in ["wire", "testbed"] {
        tree.depend(&format!("{name} = {{ path = \"crates/{name}\" }}"))?;
        tree.write(&format!("crates/{name}/Cargo.toml"), &member(name, ""))?;
        tree.write(&format!("crates/{name}/src/lib.rs"), "//! A room.\n")?;
    }
    tree.append("crates/jobs/Cargo.toml", "wire.workspace = true\n")?;
    let in_tests = "\n[dev-dependencies]\njobs.workspace = true\ntestbed.workspace = true\n";
    tree.append("crates/tasks/Cargo.toml", in_tests)?;
    let found = tree.breaches()?;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("crates/jobs/Cargo.toml:13: `jobs` leans on `wire`; cure: keep the protocol")
    );
    assert!(
        found[1].starts_with("crates/tasks/Cargo.toml:14: `tasks` leans on `jobs`; cure: lean down only")
    );
    Ok(())
}

#[test]
fn a_crate_without_a_layer_fails() -> Result<()> {
    let tree = Fixture::new()?;
    tree.write("crates/utils/Cargo.toml", &member("utils", ""))?;
    tree.write("crates/utils/src/lib.rs", "//! Odds and ends.\n")?;
    let cure = "give it a row in xtask/src/check/layers.rs";
    assert_eq!(
        tree.breaches()?,
        [format!(
            "crates/utils/Cargo.toml:2: the crate `utils` has no layer; cure: {cure}"
        )]
    );
    Ok(())
}

#[test]
fn a_file_of_401_lines_fails_unless_it_is_a_test_or_a_table() -> Result<()> {
    let tree = Fixture::new()?;
    let long = |first: &str, count: usize| format!("//! Long.\n{first}\n{}", "// more\n".repeat(count - 2));
    tree.write("crates/jobs/src/fits.rs", &long("fn a() {}", 400))?;
    tree.write("crates/jobs/src/long.rs", &long("fn a() {}", 401))?;
    tree.write("crates/jobs/src/table.rs", &long("const A: u8 = 1;", 401))?;
    tree.write("crates/jobs/src/long/tests.rs", &long("fn a() {}", 401))?;
    tree.write("crates/jobs/tests/it/main.rs", &long("fn a() {}", 401))?;
    tree.write("bench/src/main.rs", &long("fn a() {}", 401))?;
    let tested = format!(
        "{}#[cfg(test)]\nmod tests {{\n    fn b() {{}}\n}}\n",
        long("fn a() {}", 400)
    );
    tree.write("crates/jobs/src/tested.rs", &tested)?;
    let line = "crates/jobs/src/long.rs:401: 401 lines in a file, 400 at most; cure: split it by use case, not by size";
    assert_eq!(tree.breaches()?, [line]);
    Ok(())
}

#[test]
fn a_function_of_81_lines_fails_unless_it_is_a_test() -> Result<()> {
    let tree = Fixture::new()?;
    let function = |lines: usize| format!("fn long() {{\n{}}}\n", "    // more\n".repeat(lines - 2));
    tree.write("crates/jobs/src/fits.rs", &format!("//! Fits.\n{}", function(80)))?;
    tree.write(
        "crates/jobs/src/long.rs",
        &format!("//! Long.\nstruct A;\n\nimpl A {{\n{}}}\n", function(81)),
    )?;
    tree.write(
        "crates/jobs/src/tested.rs",
        &format!("//! Tested.\n#[cfg(test)]\nmod tests {{\n{}}}\n", function(81)),
    )?;
    let line =
        "crates/jobs/src/long.rs:5: `long` has 81 lines, 80 at most; cure: give its steps names of their own";
    assert_eq!(tree.breaches()?, [line]);
    Ok(())
}

#[test]
fn a_write_to_the_store_outside_access_fails() -> Result<()> {
    let tree = Fixture::new()?;
    let ways = "//! Writes.
fn ways() {
    self.store.write(work);
    self.store.clone().write(work);
    parts.store().write::<u8, Error, _>(work);
    s.write(|tx| tx.execute(SQL, &[]));
    s.write(move |tx| tx.execute(SQL, &[]));
    Store::write(&s, work);
    select! { x = store.write(work) => x }
    permit.write(&store, |tx| Ok(()));
    SystemPermit::new(\"jobs.reconcile\").write(&self.store, move |tx| Ok(()));
    lock.write();
    file.write(b\"store\");
}
";
    tree.write("crates/jobs/src/submit.rs", ways)?;
    tree.write("crates/access/src/permit.rs", ways)?;
    let line = |number: usize| {
        let cure = "go through access: `permit.write(&store, |tx| ..)`";
        format!("crates/jobs/src/submit.rs:{number}: `store.write` outside access; cure: {cure}")
    };
    assert_eq!(tree.breaches()?, (3..=9).map(line).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn anyhow_in_a_library_fails_and_in_its_tests_does_not() -> Result<()> {
    let tree = Fixture::new()?;
    tree.depend("# Errors of tools.\nanyhow = { path = \"anyhow\" }")?;
    tree.write("anyhow/Cargo.toml", &member("anyhow", ""))?;
    tree.write("anyhow/src/lib.rs", "//! Stands for the real one.\n")?;
    tree.append(
        "crates/files/Cargo.toml",
        "\n[dev-dependencies]\nanyhow.workspace = true\n",
    )?;
    tree.append("crates/jobs/Cargo.toml", "anyhow.workspace = true\n")?;
    let found = tree.breaches()?;
    let start = "crates/jobs/Cargo.toml:13: anyhow in the library `jobs`; cure: ";
    assert!(found.iter().any(|line| line.starts_with(start)), "{found:#?}");
    assert!(
        !found.iter().any(|line| line.contains("library `files`")),
        "{found:#?}"
    );
    Ok(())
}

#[test]
fn a_banned_crate_in_the_graph_and_a_foreign_licence_fail() -> Result<()> {
    let tree = Fixture::new()?;
    tree.depend("# Hashes.\nring = { path = \"foreign/ring\" }")?;
    tree.write(
        "foreign/ring/Cargo.toml",
        &member("ring", "").replace("Apache-2.0", "GPL-3.0-only"),
    )?;
    tree.write("foreign/ring/src/lib.rs", "//! Stands for the real one.\n")?;
    tree.append("crates/store/Cargo.toml", "ring.workspace = true\n")?;
    let found = tree.breaches()?;
    assert!(
        found
            .iter()
            .any(|line| line.contains("`ring` is banned and in the graph, through store; cure: ")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|line| line.contains("`ring` has the licence `GPL-3.0-only`; cure: ")),
        "{found:#?}"
    );
    Ok(())
}

#[test]
fn a_git_source_and_a_crate_from_outside_fail() -> Result<()> {
    let tree = Fixture::new()?;
    let outside = tempfile::tempdir()?;
    let there = outside.path().display();
    for name in ["fetched", "sideways"] {
        let folder = outside.path().join(name);
        std::fs::create_dir_all(folder.join("src"))?;
        std::fs::write(
            folder.join("Cargo.toml"),
            member(name, "").replace("[lints]\nworkspace = true\n", ""),
        )?;
        std::fs::write(folder.join("src/lib.rs"), "//! From elsewhere.\n")?;
    }
    let repository = format!("{there}/fetched");
    tree.run("git", &["-C", &repository, "init", "--quiet"])?;
    tree.run("git", &["-C", &repository, "add", "."])?;
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
    tree.run(
        "git",
        &[
            &["-C", &repository],
            &identity[..],
            &["commit", "--quiet", "-m", "one"],
        ]
        .concat(),
    )?;
    tree.depend(&format!(
        "# Found elsewhere.\nfetched = {{ git = \"file://{there}/fetched\" }}\nsideways = {{ path = \"{there}/sideways\" }}"
    ))?;
    tree.append(
        "crates/jobs/Cargo.toml",
        "fetched.workspace = true\nsideways.workspace = true\n",
    )?;
    let found = tree.breaches()?;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("Cargo.lock:")
            && found[0].contains(": `fetched` comes from a git source; cure: ")
    );
    assert!(
        found[1].starts_with("Cargo.lock:")
            && found[1].contains(": `sideways` lies outside the repository; cure: ")
    );
    Ok(())
}

#[test]
fn a_manifest_outside_the_shared_tables_fails() -> Result<()> {
    let tree = Fixture::new()?;
    tree.depend("bare = { version = \"1\" }")?;
    let jobs = member("jobs", "model = { path = \"../model\" }\n").replace("[lints]\nworkspace = true\n", "");
    tree.write("crates/jobs/Cargo.toml", &jobs)?;
    let found = tree.breaches()?;
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("Cargo.toml:6: nothing says why `bare` is here; cure: "),
        "{found:#?}"
    );
    assert!(
        found[1].starts_with("crates/jobs/Cargo.toml:1: the crate is outside the workspace's lints; cure: ")
    );
    assert!(
        found[2].starts_with("crates/jobs/Cargo.toml:9: `model` has a version of its own; cure: "),
        "{found:#?}"
    );
    Ok(())
}

#[test]
fn a_dependency_that_nothing_uses_fails_without_its_reason() -> Result<()> {
    let tree = Fixture::new()?;
    tree.write(
        "crates/jobs/src/lib.rs",
        "//! Jobs, with access_control.\nuse model as _;\n",
    )?;
    let cure = "take it out, or say beside it what it is for";
    let line = format!("crates/jobs/Cargo.toml:12: no source names the dependency `access`; cure: {cure}");
    assert_eq!(tree.breaches()?, [line]);
    tree.write(
        "crates/jobs/Cargo.toml",
        &member("jobs", "access.workspace = true # for what is generated\n"),
    )?;
    assert_eq!(tree.breaches()?, [""; 0]);
    Ok(())
}

#[test]
fn a_test_in_a_library_that_is_not_tested_fails() -> Result<()> {
    let tree = Fixture::new()?;
    tree.append("crates/jobs/Cargo.toml", "\n[lib]\ntest = false\n")?;
    for name in ["jobs", "files"] {
        tree.write(
            &format!("crates/{name}/src/sum.rs"),
            "//! Sums.\n#[test]\nfn adds() {}\n",
        )?;
    }
    let line = "crates/jobs/src/sum.rs:2: a test that does not run, as crates/jobs/Cargo.toml says; \
        cure: move it to tests/it, or take `test = false` out";
    assert_eq!(tree.breaches()?, [line]);
    Ok(())
}

#[test]
fn what_no_source_may_write_fails() -> Result<()> {
    let tree = Fixture::new()?;
    tree.write("crates/jobs/src/bare.rs", "fn a() {}\n")?;
    let attributes = "//! Attributes.\n#[allow(dead_code)]\nfn a() {}\n#[cfg_attr(x, allow(y))]\nfn b() {}\n#[test]\n#[ignore]\nfn c() {}\n";
    tree.write("crates/jobs/src/lifted.rs", attributes)?;
    let dial = "//! Dials.\nuse tonic::{Status, transport::Channel};\ntype T = tonic::transport::Endpoint;\n";
    tree.write("crates/jobs/src/dial.rs", dial)?;
    tree.write("crates/rpc/Cargo.toml", &member("rpc", ""))?;
    tree.write("crates/rpc/src/lib.rs", dial)?;
    let machine = ["/", "root/"].concat();
    tree.write(
        "docs/run.md",
        &format!("# Run\n\nLook into {machine}here, and [there](gone.md).\nNot ./a{machine}b.\n"),
    )?;
    let found: Vec<String> = tree
        .breaches()?
        .iter()
        .filter_map(|line| Some(line.split_once("; cure: ")?.0.to_owned()))
        .collect();
    let expected = [
        "crates/jobs/src/bare.rs:1: the file has no `//!` header".to_owned(),
        "crates/jobs/src/dial.rs:2: tonic's transport outside rpc".to_owned(),
        "crates/jobs/src/dial.rs:3: tonic's transport outside rpc".to_owned(),
        "crates/jobs/src/lifted.rs:2: the attribute `allow`".to_owned(),
        "crates/jobs/src/lifted.rs:4: the attribute `allow`".to_owned(),
        "crates/jobs/src/lifted.rs:7: the attribute `ignore`".to_owned(),
        "docs/run.md:3: the link to `gone.md` leads nowhere".to_owned(),
        format!("docs/run.md:3: the path `{machine}..` of one machine"),
    ];
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn what_only_rpc_uses_of_tonic_fails_elsewhere() -> Result<()> {
    let tree = Fixture::new()?;
    let ways = "//! Calls.
use tonic::service::interceptor::InterceptorLayer;
use tonic::{service::{Routes, interceptor}, Status};
use tonic::{Request, service::Interceptor};
use tonic::codegen::InterceptedService;
use tonic::transport::Server;
fn ways(mut request: Request<()>, endpoint: tonic::transport::Endpoint) {
    GreeterServer::with_interceptor(greeter, check);
    request.set_timeout(LONGEST);
    outer!(request.set_timeout(LONGEST));
    let routes: tonic::service::Routes = Routes::new(greeter);
    let request = rpc::within(message, LONGEST);
    stream.set_read_timeout(None);
    let transport = Endpoint::of(service);
}
";
    tree.write("crates/jobs/src/call.rs", ways)?;
    tree.write("crates/rpc/Cargo.toml", &member("rpc", ""))?;
    tree.write("crates/rpc/src/lib.rs", ways)?;
    let interceptors = "tonic's interceptors outside rpc; cure: give rpc::CallCredentials to a channel, or rpc::Authenticator to rpc::Calls";
    let transport = "tonic's transport outside rpc; cure: use rpc::serve and rpc::connect";
    let timeout = "tonic's timeout outside rpc; cure: use rpc::within, or a deadline among rpc::CallOptions";
    let mut expected: Vec<String> = [
        (2, interceptors),
        (3, interceptors),
        (4, interceptors),
        (5, interceptors),
        (6, transport),
        (7, transport),
        (8, interceptors),
        (9, timeout),
        (10, timeout),
    ]
    .map(|(line, what)| format!("crates/jobs/src/call.rs:{line}: {what}"))
    .into();
    let mut found = tree.breaches()?;
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn another_name_for_tonic_or_for_a_part_of_it_fails() -> Result<()> {
    let tree = Fixture::new()?;
    let ways = "//! Calls.
use tonic as library;
extern crate tonic as other;
use tonic::{self as third, Status};
use tonic::service as parts;
use tonic::{service::{self as more}, Code};
use tonic::{Status as Refusal, Code as _};
use tonic::service;
fn ways() {
    service::interceptor(check);
    let count = tonic as usize;
}
";
    for place in ["src/call.rs", "tests/it/call.rs", "examples/call.rs"] {
        tree.write(&format!("crates/jobs/{place}"), ways)?;
    }
    tree.write("crates/rpc/Cargo.toml", &member("rpc", ""))?;
    tree.write("crates/rpc/src/lib.rs", ways)?;
    let renamed =
        "another name for tonic's `{}`; cure: write it as tonic has it, so that what is used of it is seen";
    let interceptors = "tonic's interceptors outside rpc; cure: give rpc::CallCredentials to a channel, or rpc::Authenticator to rpc::Calls";
    let mut expected = Vec::new();
    for place in ["src/call.rs", "tests/it/call.rs", "examples/call.rs"] {
        let line = |line: usize, what: &str| format!("crates/jobs/{place}:{line}: {what}");
        for (number, name) in [
            (2, "tonic"),
            (3, "tonic"),
            (4, "self"),
            (5, "service"),
            (6, "self"),
        ] {
            expected.push(line(number, &renamed.replace("{}", name)));
        }
        expected.push(line(10, interceptors));
    }
    let mut found = tree.breaches()?;
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn a_dependency_under_another_name_fails() -> Result<()> {
    let tree = Fixture::new()?;
    tree.depend("library = { package = \"model\", path = \"crates/model\" }")?;
    let breaches = tree.breaches()?;
    let told = "the dependency `library` is `model` under another name; cure: call it by its own";
    assert!(breaches.iter().any(|one| one.ends_with(told)), "{breaches:#?}");
    Ok(())
}

#[test]
fn a_re_export_of_another_crate_fails() -> Result<()> {
    let tree = Fixture::new()?;
    let text = "//! Jobs.\nmod submit;\npub use submit::Submit;\npub use access::Actor;\npub(crate) use access::Permit;\nuse model::Id;\n";
    tree.write("crates/jobs/src/lib.rs", text)?;
    let cure = "let users name that crate themselves, or wrap what it is in a type of our own";
    let line = format!("crates/jobs/src/lib.rs:4: a re-export from the crate `access`; cure: {cure}");
    assert_eq!(tree.breaches()?, [line]);
    Ok(())
}

#[test]
fn a_bare_sleep_in_a_test_fails_without_its_reason() -> Result<()> {
    let tree = Fixture::new()?;
    let sleeps = "//! Waits.
fn waits() {
    std::thread::sleep(A);
    tokio::time::sleep(A).await;
    // may sleep: the condition has no event, so it is asked again
    sleep(A);
    sleep(A); // may sleep: the kernel counts in ticks
    clock.sleep(A);
}
";
    tree.write("crates/jobs/src/queue/tests.rs", sleeps)?;
    tree.write("crates/jobs/src/queue.rs", sleeps)?;
    let found = tree.breaches()?;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("crates/jobs/src/queue/tests.rs:3: a bare sleep in a test; cure: "));
    assert!(found[1].starts_with("crates/jobs/src/queue/tests.rs:4: a bare sleep in a test; cure: "));
    Ok(())
}

#[test]
fn a_document_that_shows_a_command_that_is_not_there_fails() -> Result<()> {
    let tree = Fixture::new()?;
    tree.write("Makefile", "run: build\n\t@true\n")?;
    let text = "# Use\n\n```sh\nmake run    # starts\nmake fly\nA=b cargo xtask check\ncargo xtask fly\nsoke up\nfly\n# text\n```\n\n```\nfly\n```\n";
    tree.write("docs/use.md", text)?;
    let line = |number: usize, command: &str| {
        format!("docs/use.md:{number}: the command `{command}` is not there; cure: show a command that works")
    };
    assert_eq!(
        tree.breaches()?,
        [line(5, "make fly"), line(7, "cargo xtask fly"), line(9, "fly")]
    );
    Ok(())
}
