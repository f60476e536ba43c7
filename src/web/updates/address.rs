//! The address of a list: filters, order and place, read from a query and written back into links.

use chrono::{NaiveDate, NaiveTime};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::approvals::Action;
use crate::catalog::changes::ChangeKind;
use crate::catalog::updates::{
    ApprovalFilter, Column, Cut, FileState, PageKey, Sort, State, TEXT_LEN_MAX, UpdateFilter,
};
use crate::web::days::typed_day;

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
    state: String,
    #[field(default = "")]
    files: String,
    #[field(default = "")]
    since: String,
    #[field(default = "")]
    until: String,
    #[field(default = "")]
    run: String,
    #[field(default = "")]
    change: String,
    #[field(default = "")]
    sort: String,
    #[field(default = "")]
    after: String,
    #[field(default = "")]
    before: String,
}

/// The address, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub filter: UpdateFilter,
    pub sort: Sort,
    pub cut: Cut,
    /// As typed: the words of the choices, and the first and last day of arrival.
    pub approval: String,
    pub state: String,
    pub files: String,
    pub since: String,
    pub until: String,
    /// A product, classification, day, synchronization or choice that is none; such an address finds nothing.
    pub strange: bool,
}

impl Address {
    /// Never fails: a place or an order that cannot be read is the first page, or the usual order.
    pub fn read(query: Query) -> Self {
        let product = id(&query.product);
        let classification = id(&query.classification);
        let (approval, state) = (approval(&query.approval), state(&query.state));
        let files = chosen(&query.files, FileState::of_key);
        let change = chosen(&query.change, ChangeKind::of_key);
        let run = chosen(&query.run, |text| text.parse::<i64>().ok());
        let (since, until) = (chosen(&query.since, typed_day), chosen(&query.until, typed_day));
        let strange = product.is_err()
            || classification.is_err()
            || approval.is_none()
            || state.is_none()
            || files.is_none()
            || change.is_none()
            || run.is_none()
            || since.is_none()
            || until.is_none();
        let cut = match (place(&query.after), place(&query.before)) {
            (Some(key), _) => Cut::After(key),
            (None, Some(key)) => Cut::Before(key),
            (None, None) => Cut::First,
        };
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let text: String = query.q.trim().chars().filter(|sign| *sign != '\0').take(TEXT_LEN_MAX).collect();
        let filter = UpdateFilter {
            text,
            product: product.unwrap_or_default(),
            classification: classification.unwrap_or_default(),
            state: state.unwrap_or_default(),
            approval: approval.unwrap_or_default(),
            mirrored: false,
            files: files.unwrap_or_default(),
            arrived_from: since.unwrap_or_default().map(midnight),
            // The last day counts as a whole.
            arrived_before: until.unwrap_or_default().and_then(|day| day.succ_opt()).map(midnight),
            run: run.unwrap_or_default(),
            change: change.unwrap_or_default(),
        };
        let Query { approval, state, files, since, until, .. } = query;
        Self { filter, sort: sort(&query.sort), cut, strange, approval, state, files, since, until }
    }

    /// One of the filters is set that are folded away.
    pub fn has_more(&self) -> bool {
        let typed = [&self.state, &self.files, &self.since, &self.until];
        typed.into_iter().any(|text| !text.is_empty()) || self.sort != Sort::default()
    }

    /// The word for the order; empty for the usual one.
    pub fn sort_word(&self) -> String {
        sort_word(self.sort)
    }

    /// The part of the address after the question mark, at the beginning of the list.
    pub fn query(&self) -> String {
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
        for (name, text) in [
            ("approval", &self.approval),
            ("state", &self.state),
            ("files", &self.files),
            ("since", &self.since),
            ("until", &self.until),
        ] {
            if !text.is_empty() {
                query.append_pair(name, text);
            }
        }
        if let Some(run) = filter.run {
            query.append_pair("run", &run.to_string());
        }
        if let Some(change) = filter.change {
            query.append_pair("change", change.key());
        }
        if self.sort != Sort::default() {
            query.append_pair("sort", &self.sort_word());
        }
        query.finish()
    }

    /// The same filters in the same order at another place.
    pub fn at(&self, cut: Cut) -> String {
        let place = match cut {
            Cut::First => String::new(),
            Cut::After(key) => format!("after={}", written(key)),
            Cut::Before(key) => format!("before={}", written(key)),
        };
        let query = self.query();
        let join = if query.is_empty() || place.is_empty() { "" } else { "&" };
        match format!("{query}{join}{place}") {
            empty if empty.is_empty() => "/updates".to_owned(),
            query => format!("/updates?{query}"),
        }
    }

    /// The same filters by a column; once more by the same column turns it around.
    pub fn by(&self, column: Column) -> String {
        let descending = match self.sort.column == column {
            true => !self.sort.descending,
            false => column.falls_at_first(),
        };
        Self { sort: Sort { column, descending }, ..self.clone() }.at(Cut::First)
    }

    /// The value of `aria-sort` for a column; empty where the list is not sorted by it.
    pub fn aria_sort(&self, column: Column) -> &'static str {
        match (self.sort.column == column, self.sort.descending) {
            (false, _) => "",
            (true, true) => "descending",
            (true, false) => "ascending",
        }
    }
}

/// `title`, or `-title` from the end.
pub(super) fn sort_word(sort: Sort) -> String {
    if sort == Sort::default() {
        return String::new();
    }
    format!("{}{}", if sort.descending { "-" } else { "" }, sort.column.key())
}

fn sort(word: &str) -> Sort {
    let (descending, key) = match word.strip_prefix('-') {
        Some(key) => (true, key),
        None => (false, word),
    };
    let column = Column::ALL.into_iter().find(|column| column.key() == key);
    column.map_or_else(Sort::default, |column| Sort { column, descending })
}

/// Nothing, an id, or something else.
fn id(text: &str) -> Result<Option<Uuid>, uuid::Error> {
    if text.is_empty() { Ok(None) } else { Uuid::try_parse(text).map(Some) }
}

/// Nothing, a choice, or (`None`) something else.
fn chosen<T>(word: &str, read: fn(&str) -> Option<T>) -> Option<Option<T>> {
    if word.is_empty() { Some(None) } else { read(word).map(Some) }
}

/// The choices of the filter, by their word in the address; `None` for a word that is none.
fn approval(word: &str) -> Option<ApprovalFilter> {
    Some(match word {
        "" => ApprovalFilter::NotDeclined,
        "all" => ApprovalFilter::Any,
        "declined" => ApprovalFilter::Declined,
        "not-approved" => ApprovalFilter::NotApproved,
        "waits-for-license" => ApprovalFilter::WaitsForLicense,
        other => ApprovalFilter::Action(Action::of_key(other)?.code()),
    })
}

fn state(word: &str) -> Option<State> {
    Some(match word {
        "" => State::NotExpired,
        "current" => State::Current,
        "superseded" => State::Superseded,
        "expired" => State::Expired,
        "all" => State::Any,
        _ => return None,
    })
}

fn written(key: PageKey) -> String {
    format!("{}.{}", key.class, key.update_row)
}

fn place(text: &str) -> Option<PageKey> {
    let (class, row) = text.split_once('.')?;
    Some(PageKey { class: class.parse().ok()?, update_row: row.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_order_and_place_survive_the_way_through_a_link() {
        let family = Uuid::from_u128(0x6964_aab4);
        let key = PageKey { class: 2, update_row: 7 };
        let address = Address::read(Query {
            q: " KB500 & more ".to_owned(),
            product: family.to_string().to_uppercase(),
            state: "all".to_owned(),
            files: "failed".to_owned(),
            sort: "-title".to_owned(),
            ..Query::default()
        });
        assert_eq!(address.filter.text, "KB500 & more");
        let link = address.at(Cut::After(key));
        let filters = format!("q=KB500+%26+more&product={family}&state=all&files=failed");
        assert_eq!(link, format!("/updates?{filters}&sort=-title&after=2.7"));
        assert_eq!(address.by(Column::Title), format!("/updates?{filters}&sort=title"));
        assert_eq!(address.by(Column::Released), format!("/updates?{filters}"));
        let again = Address::read(Query { after: "2.7".to_owned(), ..Query::default() });
        assert_eq!(again.cut, Cut::After(key));
        assert_eq!(again.at(again.cut), "/updates?after=2.7");
        assert_eq!(Address::default().at(Cut::First), "/updates");
    }

    #[test]
    fn rubbish_is_the_first_page_and_a_strange_choice_is_noticed() {
        for after in ["", "x", "1.", "1.x", "-1.1", "70000.1", "1.99999999999", "1795372346603123.7"] {
            let address = Address::read(Query { after: after.to_owned(), ..Query::default() });
            assert_eq!(address.cut, Cut::First, "{after}");
        }
        for query in [
            Query { approval: "maybe".to_owned(), ..Query::default() },
            Query { state: "sleeping".to_owned(), ..Query::default() },
            Query { files: "lost".to_owned(), ..Query::default() },
            Query { change: "odd".to_owned(), ..Query::default() },
            Query { since: "2026-02-30".to_owned(), ..Query::default() },
            Query { since: "-5000-01-01".to_owned(), ..Query::default() },
            Query { until: "+262142-12-31".to_owned(), ..Query::default() },
            Query { run: "abc".to_owned(), ..Query::default() },
        ] {
            assert!(Address::read(query).strange);
        }
        let strange = Address::read(Query { product: "windows".to_owned(), ..Query::default() });
        assert!(strange.strange);
        assert!(strange.filter.product.is_none());
        let sorted = Address::read(Query { sort: "luck".to_owned(), ..Query::default() });
        assert_eq!(sorted.sort, Sort::default());
    }
}
