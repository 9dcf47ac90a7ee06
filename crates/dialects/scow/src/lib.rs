//! SCOW's protocol.
mod text;
mod trouble;
