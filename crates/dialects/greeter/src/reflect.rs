//! What reflection shows: the files of the two examples, of health and of reflection itself, and no others.
//!
//! What it leaves to others: answering (tonic's reflection).

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic_reflection::server::{
    Builder,
    v1::{ServerReflection, ServerReflectionServer},
    v1alpha::{ServerReflection as AlphaReflection, ServerReflectionServer as AlphaServer},
};

use crate::Error;

/// The files of the examples.
const FILES: [&str; 2] = ["helloworld/helloworld.proto", "hello/hello.proto"];

/// Reflection in its two versions.
pub(crate) fn services() -> Result<
    (
        ServerReflectionServer<impl ServerReflection>,
        AlphaServer<impl AlphaReflection>,
    ),
    Error,
> {
    let all = FileDescriptorSet::decode(wire::DESCRIPTORS);
    let mut ours = all.map_err(|source| Error::Descriptors {
        source: Box::new(source),
    })?;
    ours.file.retain(|file| FILES.contains(&file.name()));
    let build = || {
        Builder::configure()
            .register_file_descriptor_set(ours.clone())
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let failed = |source| Error::Descriptors {
        source: Box::new(source),
    };
    Ok((
        build().build_v1().map_err(failed)?,
        build().build_v1alpha().map_err(failed)?,
    ))
}
