//! The one spelling of a gRPC method's path: `/package.Service/Method`.
//!
//! What it leaves to others: whether the method exists. The form is that of the gRPC protocol over HTTP/2
//! ("Path"); nothing is decoded, trimmed or folded, so that no two parts of the house can read one path as
//! two different methods.

/// The longest path that is looked at, in bytes.
const LONGEST: usize = 512;

/// Tells whether a path (and query) names a method in the one spelling that there is: protobuf identifiers with dots
/// between them, and one more behind a slash.
pub(crate) fn names_a_method(path_and_query: &str) -> bool {
    let Some(rest) = path_and_query.strip_prefix('/') else {
        return false;
    };
    if path_and_query.len() > LONGEST {
        return false;
    }
    // Whether an identifier has to begin, and whether it is the last one.
    let (mut begins, mut last) = (true, false);
    for byte in rest.bytes() {
        match byte {
            b'.' if !begins && !last => begins = true,
            b'/' if !begins && !last => (begins, last) = (true, true),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => begins = false,
            b'0'..=b'9' if !begins => {}
            _ => return false,
        }
    }
    last && !begins
}

#[cfg(test)]
mod tests {
    use super::names_a_method;

    #[test]
    fn only_the_one_spelling_names_a_method() {
        for path in [
            "/soke.v1.Session/SignIn",
            "/Hello/Say_2",
            "/grpc.health.v1.Health/Check",
        ] {
            assert!(names_a_method(path), "{path}");
        }
        let long = format!("/a.B/{}", "c".repeat(600));
        for path in [
            "",
            "/",
            "//",
            "a.B/C",
            "//a.B/C",
            "/a.B//C",
            "/a.B/C/",
            "/a.B/C?x=1",
            "/a.B/C#x",
            "/a.B/%43",
            "/a%2EB/C",
            "/a..B/C",
            "/.a.B/C",
            "/a.B./C",
            "/a.B/",
            "/a.B",
            "/a.B/C.D",
            "/a.B/C;v=1",
            "/a.B/../C",
            "/a.B/ C",
            "/a.B/2C",
            "/ä.B/C",
            "*",
            &long,
        ] {
            assert!(!names_a_method(path), "{path}");
        }
    }
}
