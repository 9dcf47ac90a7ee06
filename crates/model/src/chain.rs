//! An error told with everything under it, for a log or a terminal.
//!
//! What it leaves to others: what a caller may read (each door decides that; causes are for whoever runs the zone).

use std::{error::Error, iter};

/// An error and its causes on one line, joined by colons. A cause whose text ends the line already is left out.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fmt};

    use super::chain;

    #[derive(Debug)]
    struct Fault(&'static str, Option<Box<Fault>>);

    impl fmt::Display for Fault {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Fault {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|fault| fault as _)
        }
    }

    #[test]
    fn causes_follow_in_order_and_none_is_said_twice() {
        let lowest = Fault("no space left", None);
        let again = Fault("no space left", Some(Box::new(lowest)));
        let fault = Fault("open the store", Some(Box::new(again)));
        assert_eq!(chain(&fault), "open the store: no space left");
    }
}
