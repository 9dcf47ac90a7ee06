//! The store's promises, on both engines.

mod contract;
