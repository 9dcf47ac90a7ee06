//! Compiles every .proto file under `proto/` to messages, clients and servers, without a protoc program.
//!
//! What it leaves to others: which module each package sits in (`src/lib.rs`), and every judgement on what
//! the files say (`tests/it`).

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rerun-if-changed=build.rs");
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

    tonic_prost_build::configure()
        // Only `rpc` opens connections: the generated clients take a channel that is open already.
        .build_transport(false)
        // A call without code of ours answers UNIMPLEMENTED.
        .generate_default_stubs(true)
        .btree_map(".")
        .compile_fds(set)?;
    Ok(())
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
