//! Listing jobs, the newest first, page by page.
//!
//! What it leaves to others: tokens and rows of protocols (the dialects).

use access::{Cover, Permit};
use model::{Timestamp, UserId};
use store::Value;

use crate::{
    Error, Handle, Job, List,
    record::{COLUMNS, Record},
};

/// Which jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// Jobs on one page, 1 to 1000; 0 means 100.
    pub page_size: u32,
    /// Only jobs with a smaller number than this: what [`Page::next`] says.
    pub before: Option<u32>,
    /// Only jobs that have not ended.
    pub unfinished_only: bool,
    /// Only jobs of this user.
    pub user: Option<UserId>,
    /// Only jobs submitted at this instant or later.
    pub submitted_from: Option<Timestamp>,
    /// Only jobs submitted at this instant or earlier.
    pub submitted_to: Option<Timestamp>,
}

/// Some of the jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The newest first.
    pub jobs: Vec<Job>,
    /// Where the next page begins; nothing after the last page.
    pub next: Option<u32>,
}

const MOST: u32 = 1000;
const USUAL: u32 = 100;

impl Handle {
    /// Lists the jobs that the permit covers and the filter lets through.
    ///
    /// # Errors
    /// Invalid: the page is too large. Else as the store says.
    pub async fn list(&self, permit: &Permit<List>, filter: Filter) -> Result<Page, Error> {
        if filter.page_size > MOST {
            return Err(Error::Field {
                field: "page_size",
                what: format!("is {}", filter.page_size),
                want: "0 to 1000",
            });
        }
        let size = if filter.page_size == 0 {
            USUAL
        } else {
            filter.page_size
        };
        let mut conditions = vec!["cluster = ?1".to_owned()];
        let mut values = vec![Value::from(self.inner.config.cluster.as_str())];
        let mut add = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(format!("{condition} ?{}", values.len()));
        };
        if let Cover::Own(own) = permit.cover() {
            add("user_id =", Value::from(*own));
        }
        if let Some(user) = filter.user {
            add("user_id =", Value::from(user));
        }
        if let Some(before) = filter.before {
            add("number <", Value::from(before));
        }
        if let Some(from) = filter.submitted_from {
            add("submitted_at >=", Value::from(from));
        }
        if let Some(to) = filter.submitted_to {
            add("submitted_at <=", Value::from(to));
        }
        // One more than asked for tells whether there is a next page.
        let limit = i64::from(size) + 1;
        if filter.unfinished_only {
            conditions.push("state IN ('pending', 'running')".to_owned());
        }
        let conditions = conditions.join(" AND ");
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE {conditions} ORDER BY number DESC LIMIT {limit}");
        let read = permit.read(&self.inner.store, move |tx| {
            let rows = tx.rows(&sql, &values)?;
            rows.iter()
                .map(|row| Ok(Record::read(row)?.job))
                .collect::<Result<Vec<Job>, Error>>()
        });
        let mut jobs = read.await?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = jobs.len() > size;
        jobs.truncate(size);
        let next = jobs.last().map(|job| job.number).filter(|_| more);
        Ok(Page { jobs, next })
    }
}
