//! How services stand.
