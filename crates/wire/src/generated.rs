//! The generated code, in one module per protobuf package.
//!
//! The nesting is that of the package names, because generated paths from one package to another count on
//! it. HelloService has no package and sits in `hello`, so that nothing generated lies at the crate's root.

#![expect(
    missing_docs,
    clippy::allow_attributes_without_reason,
    clippy::missing_errors_doc,
    clippy::too_many_lines,
    reason = "generated from proto/, where the comments of what is served stand"
)]

/// Soke's own protocols.
pub mod soke {
    /// What no other protocol of the zone has: signing in, jobs with their full record, the zone's state.
    pub mod v1 {
        tonic::include_proto!("soke.v1");
    }
    /// Between the server and its nodes.
    pub mod agent {
        /// The first version of it.
        pub mod v1 {
            tonic::include_proto!("soke.agent.v1");
        }
    }
}

/// SCOW: a computing centre's portal and management.
pub mod scow {
    /// What the portal and the management side share.
    pub mod common {
        tonic::include_proto!("scow.common");
    }
    /// The portal: files, jobs, shells, applications, desktops.
    pub mod portal {
        tonic::include_proto!("scow.portal");
    }
    /// The management side: tenants, accounts, users, charges.
    pub mod server {
        tonic::include_proto!("scow.server");
        /// What a listener of the management side is told.
        pub mod hook {
            tonic::include_proto!("scow.server.hook");
        }
    }
    /// Records of operations.
    pub mod audit {
        tonic::include_proto!("scow.audit");
    }
}

/// Well-known types that prost does not bring.
pub mod google {
    /// Calendar words.
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
}

/// LiteKube's network controller.
pub mod pb {
    tonic::include_proto!("pb");
}

/// The Grid compute gateway.
pub mod compute {
    tonic::include_proto!("compute");
}

/// The gRPC document's first example.
pub mod helloworld {
    tonic::include_proto!("helloworld");
}

/// The gRPC document's example of the four kinds of call, which has no package.
pub mod hello {
    tonic::include_proto!("_");
}

/// gRPC's own packages.
pub mod grpc {
    /// The interoperability tests.
    pub mod testing {
        tonic::include_proto!("grpc.testing");
    }
}

/// Debug forms of the messages in `secret_messages.txt`: their name and nothing else.
mod secret {
    use super::{compute, pb, scow, soke};

    include!(concat!(env!("OUT_DIR"), "/secret.rs"));
}
