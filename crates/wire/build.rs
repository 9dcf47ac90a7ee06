//! Compiles every .proto file under `proto/` to messages, clients and servers, without a protoc program.
//!
//! What it leaves to others: which module each package sits in (`src/lib.rs`), and every judgement on what
//! the files say (`tests/it`).

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// Cargo starts this in the crate's folder.
fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=secret_messages.txt");
    let mut files = Vec::new();
    find(&root, &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_source_info(true);
    compiler.include_imports(true);
    compiler.open_files(&files)?;
    let set = compiler.file_descriptor_set();

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?);
    let mut bare = set.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptors.binpb"), bare.encode_to_vec())?;

    let secret = secret_messages()?;
    fs::write(out.join("secret.rs"), debug_forms(&secret)?)?;

    tonic_prost_build::configure()
        // Only `rpc` opens connections: the generated clients take a channel that is open already.
        .build_transport(false)
        // A call without code of ours answers UNIMPLEMENTED.
        .generate_default_stubs(true)
        .btree_map(".")
        .bytes(".scow.portal.DownloadResponse.chunk")
        .bytes(".scow.portal.UploadRequest.chunk")
        .bytes(".soke.v1.FollowOutputResponse.chunk")
        .bytes(".soke.agent.v1.ReadFileResponse")
        .bytes(".soke.agent.v1.WriteFileRequest")
        .bytes(".soke.agent.v1.ReadOutputResponse.chunk")
        .bytes(".soke.agent.v1.TunnelRequest")
        .bytes(".soke.agent.v1.TunnelResponse")
        .bytes(".grpc.testing.Payload.body")
        .skip_debug(secret.iter().map(|(name, _)| format!(".{name}")))
        .compile_fds(set)?;
    Ok(())
}

/// Reads the messages that carry a secret, as (protobuf name, Rust path).
fn secret_messages() -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let text = fs::read_to_string("secret_messages.txt")?;
    let mut messages = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (name, path) = line
            .split_once(' ')
            .ok_or_else(|| format!("two words expected: {line}"))?;
        messages.push((name.to_owned(), path.to_owned()));
    }
    Ok(messages)
}

/// Writes a Debug form for each of them that shows no field.
fn debug_forms(secret: &[(String, String)]) -> Result<String, Box<dyn Error>> {
    use std::fmt::Write as _;
    let mut code = String::new();
    for (name, path) in secret {
        writeln!(
            code,
            "impl std::fmt::Debug for {path} {{
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{
                    f.write_str({name:?})
                }}
            }}"
        )?;
    }
    Ok(code)
}

/// Collects the .proto files below `folder`.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
