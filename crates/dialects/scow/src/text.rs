//! SCOW's spellings of lengths, instants, sizes and states, as plain functions.
//!
//! What it leaves to others: which field carries which of them (`row`, `submit`).

use model::{Span, Timestamp};

/// Spells a length as SCOW's pages show it: `[days-][HH:]MM:SS`, two digits each but for days, hours from one
/// hour on, days from 24 hours on, fractions dropped. Nothing and less are `00:00`.
pub(crate) fn length(span: Span) -> String {
    let all = span.secs().max(0);
    let (days, hours, minutes, secs) = (all / 86_400, all / 3_600 % 24, all / 60 % 60, all % 60);
    if days > 0 {
        format!("{days}-{hours:02}:{minutes:02}:{secs:02}")
    } else if hours > 0 {
        format!("{hours:02}:{minutes:02}:{secs:02}")
    } else {
        format!("{minutes:02}:{secs:02}")
    }
}

/// Spells a time limit: whole minutes, rounded up so that no job seems to have less than it has; empty where
/// there is none.
pub(crate) fn limit(span: Span) -> String {
    if span.micros() <= 0 {
        return String::new();
    }
    let minutes = span.micros().div_euclid(60_000_000) + i64::from(span.micros() % 60_000_000 > 0);
    length(Span::from_secs(minutes.saturating_mul(60)))
}

/// Spells an instant as JavaScript does: ISO 8601 in UTC with three digits of milliseconds and `Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    // Instants beyond the year 9999 have no such spelling; none is stored, and the last one stands for them.
    let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The instants that [`read_instant`] takes.
pub(crate) const INSTANTS: &str = "0001-01-01 to 9999-12-31, 0 to 999,999,999 nanoseconds";

/// Reads an instant within protobuf's bounds: the years 1 to 9999, nanoseconds that count forward (timestamp.proto).
pub(crate) fn read_instant(stamp: &prost_types::Timestamp) -> Option<Timestamp> {
    let good = (-62_135_596_800..=253_402_300_799).contains(&stamp.seconds)
        && (0..1_000_000_000).contains(&stamp.nanos);
    good.then(|| Timestamp::from_micros(stamp.seconds * 1_000_000 + i64::from(stamp.nanos) / 1_000))
}

/// Reads a size of memory: the number before the first `M` (so `512`, `512M` and `512MB` are the same), in
/// bytes. Nothing where there is no whole number of at least 1 or the text is anything else.
pub(crate) fn memory(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once('M').unwrap_or((text, ""));
    let digits = number.trim();
    if !matches!(unit, "" | "B" | "iB") || digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let mib: u64 = digits.parse().ok().filter(|mib| *mib > 0)?;
    mib.checked_mul(1024 * 1024)
}

/// Spells a text as a JSON string of ASCII only, since trailers carry nothing else (gRPC's HTTP/2 mapping,
/// section Custom-Metadata).
pub(crate) fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    let mut units = [0; 2];
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            ' '..='~' => json.push(c),
            _ => {
                for unit in c.encode_utf16(&mut units) {
                    json.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use model::{Span, Timestamp};

    use super::{instant, json_string, length, limit, memory};

    #[test]
    fn a_length_shows_hours_from_one_hour_on_and_days_from_one_day_on() {
        for (micros, text) in [
            (0, "00:00"),
            (-5_000_000, "00:00"),
            (999_999, "00:00"),
            (59_999_999, "00:59"),
            (60_000_000, "01:00"),
            (3_599_000_000, "59:59"),
            (3_600_000_000, "01:00:00"),
            (86_399_000_000, "23:59:59"),
            (86_400_000_000, "1-00:00:00"),
            (123 * 86_400_000_000 + 3_661_000_000, "123-01:01:01"),
        ] {
            assert_eq!(length(Span::from_micros(micros)), text, "{micros}");
        }
    }

    #[test]
    fn a_time_limit_is_whole_minutes_and_none_is_empty() {
        for (secs, text) in [
            (0, ""),
            (1, "01:00"),
            (60, "01:00"),
            (61, "02:00"),
            (3_600, "01:00:00"),
            (7 * 86_400, "7-00:00:00"),
        ] {
            assert_eq!(limit(Span::from_secs(secs)), text, "{secs}");
        }
    }

    #[test]
    fn an_instant_is_iso_8601_with_milliseconds() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_123_999, "2023-11-14T22:13:20.123Z"),
        ] {
            assert_eq!(instant(Timestamp::from_micros(micros)), text);
        }
    }

    #[test]
    fn memory_is_the_whole_number_before_the_first_m() {
        let mib = 1024 * 1024;
        for (text, bytes) in [
            ("1024MB", Some(1024 * mib)),
            ("512M", Some(512 * mib)),
            ("7", Some(7 * mib)),
            (" 7 MiB", Some(7 * mib)),
            ("", None),
            ("MB", None),
            ("0MB", None),
            ("-1MB", None),
            ("1.5MB", None),
            ("1GB", None),
            ("1MBMB", None),
            ("18446744073709551615MB", None),
            ("99999999999999999999MB", None),
        ] {
            assert_eq!(memory(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn a_json_string_is_ascii_whatever_the_text_holds() {
        assert_eq!(
            json_string("a\"b\\c\n\u{e9}\u{8d26}\u{1f600}\u{7f}"),
            r#""a\"b\\c\u000a\u00e9\u8d26\ud83d\ude00\u007f""#
        );
    }
}
