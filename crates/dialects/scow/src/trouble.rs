//! The failures that SCOW's pages know by trailers, and nothing else knows.
//!
//! A family of failures carries `is_scow_error: 1`, `scow_error_code` and what belongs to the code; the pages
//! read them where a bare status says too little. All values are ASCII. What it leaves to others: which
//! failure is which (`caller`, `fault`).

use model::ErrorKind;
use tonic::{
    Code, Status,
    metadata::{AsciiMetadataValue, MetadataMap},
};

use crate::text::json_string;

/// The asked cluster is not one of this zone. `ours` are the ids of those that are.
pub(crate) fn unknown_cluster(ours: &[&str]) -> Status {
    let ids: Vec<String> = ours.iter().map(|id| json_string(id)).collect();
    let trailers = [("currentactivatedclusterids", format!("[{}]", ids.join(",")))];
    let message = format!(
        "the cluster is not one of this zone; its clusters are: {}",
        ours.join(", ")
    );
    marked("NOT_EXIST_IN_ACTIVATED_CLUSTERS", message, &trailers)
}

/// The cluster's job engine failed or is not reachable. `message` is safe to show.
pub(crate) fn engine_failed(cluster: &str, kind: ErrorKind, message: &str) -> Status {
    let code = wire::code(kind);
    let details = format!(
        r#"{{"code":{},"details":{},"metadata":{{}}}}"#,
        i32::from(code),
        json_string(message)
    );
    let errors = format!(
        r#"[{{"clusterId":{},"details":{details}}}]"#,
        json_string(cluster)
    );
    let text = format!(
        "Cluster ID : {cluster}, Details : Error: {} {}: {message}",
        i32::from(code),
        wire::code_name(code)
    );
    marked("ADAPTER_CALL_ON_ONE_ERROR", text, &[("clustererrors", errors)])
}

/// The user cannot work on the cluster's machine, or the machine failed at it. SCOW calls that SSH_ERROR, since
/// it reaches its machines so; `cause` is what its pages show.
pub(crate) fn remote_failed(cause: &str) -> Status {
    let message = "Error when connecting to remote".to_owned();
    marked("SSH_ERROR", message, &[("cause", percent_encoded(cause))])
}

/// At most 150 characters, with three dots where there were more, spelled as JavaScript's encodeURIComponent does (ECMA-262, section
/// 19.2.6.4).
fn percent_encoded(text: &str) -> String {
    let mut short: String = text.chars().take(150).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    short.bytes().fold(String::new(), |encoded, byte| {
        if plain(byte) {
            encoded + char::from(byte).encode_utf8(&mut [0])
        } else {
            encoded + &format!("%{byte:02X}")
        }
    })
}

fn marked(scow_code: &'static str, message: String, trailers: &[(&'static str, String)]) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("is_scow_error", AsciiMetadataValue::from_static("1"));
    metadata.insert("scow_error_code", AsciiMetadataValue::from_static(scow_code));
    for (key, value) in trailers {
        // Every value is ASCII by `json_string`; were one not, the marker alone would still say the code.
        if let Ok(value) = AsciiMetadataValue::try_from(value) {
            metadata.insert(*key, value);
        }
    }
    Status::with_metadata(Code::Internal, message, metadata)
}

#[cfg(test)]
mod tests {
    use model::ErrorKind;
    use tonic::{Code, Status};

    use super::{engine_failed, remote_failed, unknown_cluster};

    /// All trailers of a status, in alphabetical order, as they go over the wire.
    fn trailers(status: &Status) -> Vec<String> {
        let headers = status.metadata().clone().into_headers();
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(key, value)| format!("{key}: {}", value.to_str().expect("ASCII")))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn an_unknown_cluster_names_those_that_are() {
        let status = unknown_cluster(&["local", "h\u{e9}"]);
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(
            trailers(&status),
            [
                r#"currentactivatedclusterids: ["local","h\u00e9"]"#,
                "is_scow_error: 1",
                "scow_error_code: NOT_EXIST_IN_ACTIVATED_CLUSTERS",
            ]
        );
    }

    #[test]
    fn a_failed_engine_is_told_in_words_and_in_json() {
        let status = engine_failed("local", ErrorKind::Unavailable, "no \"node\" \u{8d26}");
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(
            status.message(),
            "Cluster ID : local, Details : Error: 14 UNAVAILABLE: no \"node\" \u{8d26}"
        );
        assert_eq!(
            trailers(&status),
            [
                concat!(
                    r#"clustererrors: [{"clusterId":"local","details":{"code":14,"#,
                    r#""details":"no \"node\" \u8d26","metadata":{}}}]"#
                ),
                "is_scow_error: 1",
                "scow_error_code: ADAPTER_CALL_ON_ONE_ERROR",
            ]
        );
    }

    #[test]
    fn a_failed_machine_is_told_by_a_cause_that_is_cut_and_percent_encoded() {
        let status = remote_failed("no such \u{e9}");
        assert_eq!(status.message(), "Error when connecting to remote");
        assert_eq!(
            trailers(&status),
            [
                "cause: no%20such%20%C3%A9",
                "is_scow_error: 1",
                "scow_error_code: SSH_ERROR",
            ]
        );
        let long = trailers(&remote_failed(&"a".repeat(1000)));
        assert_eq!(long[0], format!("cause: {}...", "a".repeat(150)));
    }
}
