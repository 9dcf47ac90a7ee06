//! The settings of LiteKube's doors.
//!
//! What it leaves to others: what they mean (dialect `litekube`).

use litekube::Numbering;

use super::{Litekube, host_name, reader::Reader};

/// Reads the section `litekube`.
pub(super) fn read(reader: &mut Reader) -> Litekube {
    let numbering = reader.parsed(
        "litekube.wire",
        "2022-05",
        "`2022-05`, or `2022-04` for clients of that time",
        |text| match text {
            "2022-05" => Ok(Numbering::Later),
            "2022-04" => Ok(Numbering::April2022),
            _ => Err(format!("`{}` is no numbering", text.escape_debug())),
        },
    );
    let told_host = reader.parsed(
        "litekube.cloud_ip",
        "",
        "an address like `192.0.2.7`, or a host name",
        |text| match text {
            "" => Ok(None),
            text => match text.parse::<std::net::IpAddr>() {
                Ok(address) => Ok(Some(address.to_string())),
                Err(_no_address) => host_name(text).map(Some),
            },
        },
    );
    let uses = reader.whole("litekube.token_uses", 1, 1..=1000);
    let port = reader.whole("litekube.network_port", 6441, 1..=65_535);
    Litekube {
        bootstrap: reader.address("litekube.bootstrap.address", "127.0.0.1:6439"),
        control: reader.address("litekube.control.address", "127.0.0.1:6440"),
        numbering,
        told_host,
        token_uses: u32::try_from(uses).unwrap_or(1),
        network_port: u16::try_from(port).unwrap_or(6441),
    }
}
