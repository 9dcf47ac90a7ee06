//! Conditions of lists, built up with their values.
//!
//! What it leaves to others: the columns of each list. Names of columns and orders come from the code, values only
//! as parameters.

use access::Cover;
use model::Timestamp;
use store::Value;

use crate::{Kinds, Paging, Target};

/// The end of a query, from WHERE on.
#[derive(Debug, Default)]
pub(crate) struct Query {
    conditions: Vec<String>,
    pub(crate) values: Vec<Value>,
}

impl Query {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The placeholder of a value.
    pub(crate) fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    pub(crate) fn add(&mut self, condition: impl Into<String>) {
        self.conditions.push(condition.into());
    }

    /// `column OPERATOR value`, where there is a value.
    pub(crate) fn compare(&mut self, comparison: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            let place = self.value(value);
            self.add(format!("{comparison} {place}"));
        }
    }

    /// A column that holds a name, in whatever case.
    pub(crate) fn named(&mut self, column: &str, name: Option<&str>) {
        if let Some(name) = name {
            // What cannot be written down names nothing, and "" is nobody's name.
            let name = if name.contains('\0') { "" } else { name };
            let place = self.value(name.to_ascii_lowercase());
            self.add(format!("LOWER({column}) = {place}"));
        }
    }

    pub(crate) fn within(&mut self, column: &str, from: Option<Timestamp>, to: Option<Timestamp>) {
        self.compare(&format!("{column} >="), from);
        self.compare(&format!("{column} <="), to);
    }

    /// A column that holds one of these; none given: anything.
    pub(crate) fn among(&mut self, column: &str, texts: &[String]) {
        if !texts.is_empty() {
            let places = self.places(texts);
            self.add(format!("{column} IN ({places})"));
        }
    }

    pub(crate) fn kinds(&mut self, kinds: &Kinds) {
        match kinds {
            Kinds::Any => {}
            Kinds::Only(kinds) if kinds.is_empty() => self.add("1 = 0"),
            Kinds::Only(kinds) => self.among("kind", kinds),
            Kinds::Not(kinds) if kinds.is_empty() => {}
            Kinds::Not(kinds) => {
                let places = self.places(kinds);
                self.add(format!("kind NOT IN ({places})"));
            }
        }
    }

    fn places(&mut self, texts: &[String]) -> String {
        let mut places = Vec::with_capacity(texts.len());
        for text in texts {
            // A text that cannot be written down is not to be found either.
            places.push(self.value(text.replace('\0', "\u{fffd}")));
        }
        places.join(", ")
    }

    /// Whose records: the tables of payments and charges name both columns alike.
    pub(crate) fn target(&mut self, target: &Target) {
        match target {
            Target::Everything => {}
            Target::Tenant(tenant) => {
                self.add("account_id IS NULL");
                self.named("tenant_name", Some(tenant));
            }
            Target::AllTenants => self.add("account_id IS NULL"),
            Target::AccountsOf { tenant, accounts } => {
                self.add("account_id IS NOT NULL");
                self.named("tenant_name", Some(tenant));
                self.accounts(accounts);
            }
            Target::Accounts(accounts) => {
                self.add("account_id IS NOT NULL");
                self.accounts(accounts);
            }
        }
    }

    fn accounts(&mut self, accounts: &[String]) {
        let folded: Vec<String> = accounts.iter().map(|name| name.to_ascii_lowercase()).collect();
        self.among("LOWER(account_name)", &folded);
    }

    /// Leaves what a cover reaches: records of accounts that its user looks after, and of the user's own jobs where
    /// the table tells whose job it was.
    pub(crate) fn own_money(&mut self, cover: &Cover, with_jobs: bool) {
        if let Cover::Own(user) = cover {
            let place = self.value(*user);
            let own = if with_jobs {
                format!("user_id = {place} OR ")
            } else {
                String::new()
            };
            self.add("account_id IS NOT NULL");
            self.add(format!(
                "({own}account_id IN (SELECT m.account_id FROM account_members m \
                 WHERE m.user_id = {place} AND m.role IN ('owner', 'admin')))"
            ));
        }
    }

    /// A text that one of these columns holds, in whatever case.
    pub(crate) fn like(&mut self, columns: &[&str], texts: &[String]) {
        let mut either = Vec::new();
        for text in texts {
            let text = text.replace('\0', "\u{fffd}").to_lowercase();
            let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let place = self.value(format!("%{escaped}%"));
            for column in columns {
                either.push(format!("LOWER({column}) LIKE {place} ESCAPE '\\'"));
            }
        }
        if !either.is_empty() {
            self.add(format!("({})", either.join(" OR ")));
        }
    }

    /// The conditions alone.
    pub(crate) fn conditions(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.conditions.join(" AND "))
        }
    }

    /// The conditions, the order and the part that is wanted; `number` settles what is equal.
    pub(crate) fn end<O: Copy>(
        &self,
        paging: &Paging<O>,
        number: &str,
        column: impl Fn(O) -> &'static str,
    ) -> String {
        let order = match paging.order {
            None => format!("{number} DESC"),
            Some((order, largest_first)) => {
                let way = if largest_first { "DESC" } else { "ASC" };
                format!("{} {way}, {number} {way}", column(order))
            }
        };
        let most = u64::try_from(i64::MAX).unwrap_or(0);
        let (limit, offset) = (paging.limit.unwrap_or(most).min(most), paging.offset.min(most));
        format!(
            "{} ORDER BY {order} LIMIT {limit} OFFSET {offset}",
            self.conditions()
        )
    }
}
