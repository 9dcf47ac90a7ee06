//! The parameters of `/greet`: read as the gateway reads them that clients know.
//!
//! Section 2 of the contract: pairs between `&`, `+` is a space, of several values the first counts; a pair with a
//! semicolon or a broken escape is passed over. What it leaves to others: what they mean.

/// The parameters of one request.
pub(crate) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Reads behind the question mark.
    pub(crate) fn of(text: Option<&'a str>) -> Self {
        Self(text.unwrap_or_default())
    }

    /// The first value of this name; empty where there is none.
    pub(crate) fn first(&self, wanted: &str) -> String {
        let pairs = self.0.split('&').filter(|pair| !pair.contains(';'));
        let mut values = pairs.filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            (decode(name)? == wanted).then_some(value)
        });
        values.next().unwrap_or_default()
    }
}

/// The text behind the escapes; none where one is broken. Bytes that are no UTF-8 become the mark for such.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            plain => plain,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn the_first_sound_pair_of_a_name_counts() {
        for (text, value) in [
            ("type=2", "2"),
            ("type=2&type=3", "2"),
            ("a=1&type=%32", "2"),
            ("ty%70e=2", "2"),
            ("type=a+b%2Bc", "a b+c"),
            ("type", ""),
            ("type=", ""),
            ("", ""),
            ("type=1;x&type=2", "2"),
            ("type=%zz&type=2", "2"),
            ("type=%2&type=2", "2"),
            ("type=%&type=2", "2"),
            ("Type=2", ""),
            ("type=2=3", "2=3"),
            ("type=%ff", "\u{fffd}"),
            ("&&=&type=2&", "2"),
        ] {
            assert_eq!(Query::of(Some(text)).first("type"), value, "{text}");
        }
        assert_eq!(Query::of(None).first("type"), "");
    }
}
