//! The settings of the Grid gateway.
//!
//! What it leaves to others: what they mean (dialect `grid`, crate `services`), and who becomes a guest (`access`).

use super::{Grid, plain_listener, reader::Reader};

/// Reads the section `grid`, but for what belongs to access.
pub(super) fn read(reader: &mut Reader) -> Grid {
    Grid {
        listen: plain_listener(
            reader,
            "grid.http.address",
            "grid.http.insecure",
            "127.0.0.1:8080",
        ),
    }
}

/// Whether a wallet that signs in nobody makes a guest.
pub(super) fn enrolment(reader: &mut Reader) -> bool {
    reader.parsed(
        "grid.enrolment",
        "open",
        "`open` or `closed`",
        |text| match text {
            "open" => Ok(true),
            "closed" => Ok(false),
            _ => Err(format!("`{}` is neither", text.escape_debug())),
        },
    )
}
