//! The address of a list: filters and place, read from a query and written back into links.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::approvals::Action;
use crate::catalog::updates::{ApprovalFilter, Cut, PageKey, TEXT_LEN_MAX, UpdateFilter};

/// What stands in the address, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, rocket::FromForm)]
pub(super) struct Query {
    #[field(default = "")]
    q: String,
    #[field(default = "")]
    product: String,
    #[field(default = "")]
    classification: String,
    #[field(default = "")]
    approval: String,
    #[field(default = "")]
    since: String,
    #[field(default = "")]
    until: String,
    run: Option<i64>,
    expired: bool,
    current: bool,
    #[field(default = "")]
    after: String,
    #[field(default = "")]
    before: String,
}

/// The address, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub filter: UpdateFilter,
    pub cut: Cut,
    /// As typed: the decision, and the first and last day of arrival.
    pub approval: String,
    pub since: String,
    pub until: String,
    /// A product or classification that is none; such an address finds nothing.
    pub strange: bool,
}

impl Address {
    /// Never fails: a place that cannot be read is the first page.
    pub fn read(query: Query) -> Self {
        let product = id(&query.product);
        let classification = id(&query.classification);
        let strange = product.is_err() || classification.is_err();
        let cut = match (place(&query.after), place(&query.before)) {
            (Some(key), _) => Cut::After(key),
            (None, Some(key)) => Cut::Before(key),
            (None, None) => Cut::First,
        };
        let approval = approval(&query.approval);
        let (since, until) = (day(&query.since), day(&query.until));
        let strange = strange || approval.is_none() || since.is_err() || until.is_err();
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let text: String = query.q.trim().chars().filter(|sign| *sign != '\0').take(TEXT_LEN_MAX).collect();
        let filter = UpdateFilter {
            text,
            product: product.unwrap_or_default(),
            classification: classification.unwrap_or_default(),
            include_expired: query.expired,
            hide_superseded: query.current,
            approval: approval.unwrap_or_default(),
            mirrored: false,
            arrived_from: since.unwrap_or_default().map(midnight),
            // The last day counts as a whole.
            arrived_before: until.unwrap_or_default().and_then(|day| day.succ_opt()).map(midnight),
            run: query.run,
        };
        let [approval, since, until] = [query.approval, query.since, query.until];
        Self { filter, cut, strange, approval, since, until }
    }

    /// One of the filters is set that are folded away.
    pub fn has_more(&self) -> bool {
        let filter = &self.filter;
        filter.include_expired || filter.hide_superseded || !self.since.is_empty() || !self.until.is_empty()
    }

    /// The same filters at another place.
    pub fn at(&self, cut: Cut) -> String {
        let mut query = Serializer::new(String::new());
        let filter = &self.filter;
        if !filter.text.is_empty() {
            query.append_pair("q", &filter.text);
        }
        for (name, id) in [("product", filter.product), ("classification", filter.classification)] {
            if let Some(id) = id {
                query.append_pair(name, &id.to_string());
            }
        }
        for (name, text) in [("approval", &self.approval), ("since", &self.since), ("until", &self.until)] {
            if !text.is_empty() {
                query.append_pair(name, text);
            }
        }
        if let Some(run) = filter.run {
            query.append_pair("run", &run.to_string());
        }
        for (name, set) in [("expired", filter.include_expired), ("current", filter.hide_superseded)] {
            if set {
                query.append_pair(name, "true");
            }
        }
        match cut {
            Cut::First => {}
            Cut::After(key) => {
                query.append_pair("after", &written(key));
            }
            Cut::Before(key) => {
                query.append_pair("before", &written(key));
            }
        }
        match query.finish() {
            empty if empty.is_empty() => "/updates".to_owned(),
            query => format!("/updates?{query}"),
        }
    }
}

/// Nothing, an id, or something else.
fn id(text: &str) -> Result<Option<Uuid>, uuid::Error> {
    if text.is_empty() { Ok(None) } else { Uuid::try_parse(text).map(Some) }
}

/// The choices of the filter, by their word in the address; `None` for a word that is none.
fn approval(word: &str) -> Option<ApprovalFilter> {
    Some(match word {
        "" => ApprovalFilter::NotDeclined,
        "all" => ApprovalFilter::Any,
        "declined" => ApprovalFilter::Declined,
        "not-approved" => ApprovalFilter::NotApproved,
        other => ApprovalFilter::Action(Action::of_key(other)?.code()),
    })
}

/// Nothing, a day such as 2026-11-22, or something else.
fn day(text: &str) -> Result<Option<NaiveDate>, chrono::ParseError> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn written(key: PageKey) -> String {
    format!("{}.{}", key.created.timestamp_micros(), key.update_row)
}

fn place(text: &str) -> Option<PageKey> {
    let (micros, row) = text.split_once('.')?;
    let created = DateTime::<Utc>::from_timestamp_micros(micros.parse().ok()?)?;
    // Beyond what PostgreSQL holds there is no update.
    let held = -200_000_000_000_000_000..9_000_000_000_000_000_000_i64;
    held.contains(&created.timestamp_micros()).then_some(())?;
    Some(PageKey { created, update_row: row.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_place_survive_the_way_through_a_link() {
        let family = Uuid::from_u128(0x6964_aab4);
        let key = PageKey {
            created: DateTime::from_timestamp_micros(1_795_372_346_603_123).unwrap(),
            update_row: 7,
        };
        let address = Address::read(Query {
            q: " KB500 & more ".to_owned(),
            product: family.to_string().to_uppercase(),
            expired: true,
            ..Query::default()
        });
        assert_eq!(address.filter.text, "KB500 & more");
        let link = address.at(Cut::After(key));
        let wanted =
            format!("/updates?q=KB500+%26+more&product={family}&expired=true&after=1795372346603123.7");
        assert_eq!(link, wanted);
        let again = Address::read(Query { after: "1795372346603123.7".to_owned(), ..Query::default() });
        assert_eq!(again.cut, Cut::After(key));
        assert_eq!(Address::default().at(Cut::First), "/updates");
    }

    #[test]
    fn rubbish_is_the_first_page_and_a_strange_id_is_noticed() {
        for after in
            ["", "x", "1.", "1.x", "9223372036854775807.1", "-9223372036854775808.1", "1.99999999999"]
        {
            let address = Address::read(Query { after: after.to_owned(), ..Query::default() });
            assert_eq!(address.cut, Cut::First, "{after}");
        }
        for query in [
            Query { approval: "maybe".to_owned(), ..Query::default() },
            Query { since: "2026-02-30".to_owned(), ..Query::default() },
        ] {
            assert!(Address::read(query).strange);
        }
        let strange = Address::read(Query { product: "windows".to_owned(), ..Query::default() });
        assert!(strange.strange);
        assert!(strange.filter.product.is_none());
    }
}
