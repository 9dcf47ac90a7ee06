//! gRPC's interoperability tests: the server that other programs' test clients call, and the client that calls theirs.
//!
//! What it is for: showing that what `rpc` says on the wire is what others say. Server: `grpc.testing.TestService`
//! with every feature of the official description but load reports and cacheable calls. Client: every official case
//! but those two. Names, sizes and texts are those of gRPC's "Interoperability Test Case Descriptions". Credential
//! cases use an issuer of their own instead of a company's sandbox: one key signs, and the server verifies by it.
//!
//! Both belong to no zone and keep nothing. What it leaves to others: transport, deadlines, compression, credentials
//! (`rpc`), and the official flags (the binary).

mod account;
mod client;
mod error;
mod issuer;
mod server;

pub use account::Account;
pub use client::{Case, Settings, Soak};
pub use error::Error;
pub use server::{Handle, Parts, start};
