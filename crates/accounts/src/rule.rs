//! How a sum comes from a price, in words: for whoever reads a list of prices or a bill.
//!
//! What it leaves to others: doing it (`price`).

use model::Money;

use crate::Handle;

impl Handle {
    /// The rule by which jobs are charged in this zone.
    #[must_use]
    pub fn rule(&self) -> String {
        let config = &self.inner.config;
        in_words(config.decimals, config.min_charge)
    }
}

fn in_words(decimals: u8, min_charge: Money) -> String {
    let places = match decimals {
        0 => "to a whole number".to_owned(),
        1 => "at 1 decimal".to_owned(),
        more => format!("at {more} decimals"),
    };
    let least = if min_charge > Money::ZERO {
        format!("; a job that ran at all at a price above zero costs at least {min_charge}")
    } else {
        String::new()
    };
    format!(
        "A job's hours are what it had times its seconds / 3600, cut off {places}; its charge is those times the \
         price, rounded half up {places}{least}."
    )
}

#[cfg(test)]
mod tests {
    use model::Money;

    use super::in_words;

    #[test]
    fn the_rule_names_its_decimals_and_its_least_charge() {
        let usual = in_words(2, Money::from_ten_thousandths(100));
        assert_eq!(
            usual,
            "A job's hours are what it had times its seconds / 3600, cut off at 2 decimals; its charge is those times \
             the price, rounded half up at 2 decimals; a job that ran at all at a price above zero costs at least \
             0.0100."
        );
        let bare = in_words(0, Money::ZERO);
        assert!(bare.ends_with("rounded half up to a whole number."), "{bare}");
    }
}
