//! The protocols' messages and stubs, and the one mapping between [`model::ErrorKind`], gRPC codes and HTTP
//! statuses.
//!
//! What it is for: everything generated from `proto/` in one module per package, the descriptor set of it
//! all, their version, and the way from a kind of failure to an answer. What it leaves to others: connections and limits
//! (`rpc`), and what a call means (the dialects). It holds no rules.
//!
//! A call that nobody wrote answers UNIMPLEMENTED: the generated servers have a default for each method.

mod fault;
mod generated;
mod status;
mod version;

pub use fault::FieldFaults;
pub use generated::{compute, google, grpc, hello, helloworld, pb, scow, soke};
pub use status::{code, code_name, http_status, kind, status};
pub use version::{VERSION, Version};

/// The `FileDescriptorSet` of every file under `proto/` and of what they import, without comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
