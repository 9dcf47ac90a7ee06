//! The window to the second, and the one form of a time.

use model::{Span, Timestamp};

use super::{in_window, seconds};

const SIGNED: i64 = 1_703_757_313;

#[test]
fn w01_59_seconds_old_counts_60_does_not_and_no_more_than_5_ahead() {
    for (age, fits) in [
        (0, true),
        (59, true),
        (60, false),
        (61, false),
        (86_400, false),
        (-1, true),
        (-5, true),
        (-6, false),
        (-3_600, false),
        (-10 * 365 * 86_400, false),
    ] {
        let now = Timestamp::from_secs(SIGNED + age);
        assert_eq!(in_window(&SIGNED.to_string(), now).is_some(), fits, "{age} s old");
    }
    // A second lasts to its end.
    let end = Timestamp::from_secs(SIGNED + 59) + Span::from_micros(999_999);
    assert!(in_window(&SIGNED.to_string(), end).is_some());
}

#[test]
fn a_time_has_one_form() {
    assert_eq!(seconds("0"), Some(0));
    assert_eq!(seconds("1703757313"), Some(SIGNED));
    for text in [
        "",
        "+1703757313",
        "-1703757313",
        "01703757313",
        "00",
        " 1703757313",
        "1703757313 ",
        "1703757313.0",
        "1.703757313e9",
        "0x658d4841",
        "\u{0661}\u{0667}",
        "9999999999999",
        "99999999999999999999999999",
    ] {
        assert_eq!(seconds(text), None, "{text:?}");
    }
    assert!(in_window("999999999999", Timestamp::from_secs(i64::MIN)).is_none());
}
