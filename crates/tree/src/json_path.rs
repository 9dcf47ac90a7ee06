//! Writing a part of a JSON value by its path.
//!
//! Segments stand between slashes; empty ones vanish, and `/` alone is the whole value. A segment in double quotes may
//! hold slashes; a backslash takes the next character as it is. Objects that are missing on the way are made. Lists
//! have no paths, and what is no object has no members: both are faults. What it leaves to others: where the value
//! is kept.

use serde_json::{Map, Value};

/// The most segments of a path.
const MOST_SEGMENTS: usize = 64;

/// Says why a part cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// A quote or a backslash has no other end.
    #[error("a quote or a backslash at its end is left open")]
    Open,
    /// It has too many segments.
    #[error("it has more than 64 segments")]
    TooDeep,
    /// It leads through, or to a member of, what is no object.
    #[error("`{segment}` cannot be a member: its place is no object")]
    NoObject {
        /// The segment that has no place.
        segment: String,
    },
    /// The whole value cannot be taken away.
    #[error("the whole value cannot be taken away")]
    Whole,
}

fn segments(path: &str) -> Result<Vec<String>, BadPath> {
    let (mut segments, mut segment, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => segment.push(letters.next().ok_or(BadPath::Open)?),
            '"' => quoted = !quoted,
            '/' if !quoted => segments.push(std::mem::take(&mut segment)),
            letter => segment.push(letter),
        }
    }
    if quoted {
        return Err(BadPath::Open);
    }
    segments.push(segment);
    segments.retain(|segment| !segment.is_empty());
    if segments.len() > MOST_SEGMENTS {
        return Err(BadPath::TooDeep);
    }
    Ok(segments)
}

/// Writes the part at `path`, or takes it away where there is no new value.
pub(crate) fn write(whole: &mut Value, path: &str, value: Option<Value>) -> Result<(), BadPath> {
    let segments = segments(path)?;
    let Some((last, way)) = segments.split_last() else {
        *whole = value.ok_or(BadPath::Whole)?;
        return Ok(());
    };
    let mut place = whole;
    for segment in way {
        let object = members(place, segment)?;
        if value.is_none() && !object.contains_key(segment) {
            return Ok(());
        }
        place = object
            .entry(segment.as_str())
            .or_insert_with(|| Value::Object(Map::new()));
    }
    let object = members(place, last)?;
    match value {
        Some(value) => object.insert(last.clone(), value),
        None => object.remove(last),
    };
    Ok(())
}

fn members<'a>(place: &'a mut Value, segment: &str) -> Result<&'a mut Map<String, Value>, BadPath> {
    let segment = segment.to_owned();
    place.as_object_mut().ok_or(BadPath::NoObject { segment })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;
    use serde_json::{Value, json};

    use super::{BadPath, write};

    fn written(whole: Value, path: &str, value: Option<Value>) -> Result<Value, BadPath> {
        let mut whole = whole;
        write(&mut whole, path, value).map(|()| whole)
    }

    #[test]
    fn a_part_is_written_where_its_path_leads() {
        let whole = || json!({"a": {"b": 1}, "l": [1]});
        let one = || Some(json!(9));
        assert_eq!(
            written(whole(), "a/b", one()),
            Ok(json!({"a": {"b": 9}, "l": [1]}))
        );
        assert_eq!(
            written(whole(), "/a//b/", one()),
            Ok(json!({"a": {"b": 9}, "l": [1]}))
        );
        assert_eq!(
            written(whole(), "x/y", one()),
            Ok(json!({"a": {"b": 1}, "l": [1], "x": {"y": 9}}))
        );
        assert_eq!(written(whole(), "/", one()), Ok(json!(9)));
        assert_eq!(
            written(json!({}), r#""a/b"/c\/d"#, one()),
            Ok(json!({"a/b": {"c/d": 9}}))
        );
        assert_eq!(
            written(whole(), "a", Some(Value::Null)),
            Ok(json!({"a": null, "l": [1]}))
        );
        assert_eq!(written(whole(), "a/b", None), Ok(json!({"a": {}, "l": [1]})));
        assert_eq!(written(whole(), "x/y/z", None), Ok(whole()));
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        let no = |segment: &str| {
            let segment = segment.to_owned();
            Err(BadPath::NoObject { segment })
        };
        for (whole, path, segment) in [
            (json!({"a": 1}), "a/b", "b"),
            (json!({"a": 1}), "a/b/c", "b"),
            (json!([1]), "0", "0"),
            (json!({"l": [1]}), "l/0", "0"),
            (json!("text"), "a", "a"),
        ] {
            assert_eq!(
                written(whole.clone(), path, Some(json!(9))),
                no(segment),
                "{path}"
            );
            assert_eq!(written(whole, path, None), no(segment), "{path}");
        }
        assert_eq!(written(json!({}), "\"a", Some(json!(1))), Err(BadPath::Open));
        assert_eq!(written(json!({}), "a\\", Some(json!(1))), Err(BadPath::Open));
        assert_eq!(written(json!({}), "/", None), Err(BadPath::Whole));
        assert_eq!(
            written(json!({}), &"a/".repeat(65), Some(json!(1))),
            Err(BadPath::TooDeep)
        );
    }

    proptest! {
        #[test]
        fn whatever_the_path_is_writing_answers(path in ".*", taken: bool) {
            let value = (!taken).then(|| json!(1));
            drop(written(json!({"a": {"b": [1]}}), &path, value));
        }
    }
}
