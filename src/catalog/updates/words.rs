//! The words of a search text, and which of them an index should look for.
//!
//! The index finds a rare word at once, but reads long lists for a frequent one. A sample tells them apart: a word that
//! is almost everywhere is only checked where another one was found, and words that are often together are found by
//! walking through the list in its order.

use diesel::expression::{AppearsOnTable, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::filter::lower;
use crate::catalog::CatalogError;
use crate::db::Keep;
use crate::db::schema::{update_search, updates};

/// The newest updates in which words, and members of categories, are counted.
pub(super) const SAMPLE: i64 = 500;
/// Frequent is what this many of the sample have: one in twenty. Words count all together.
pub(super) const FREQUENT: i64 = SAMPLE / 20;
/// A word is everywhere that this many of the sample have: every second one.
const EVERYWHERE: i64 = SAMPLE / 2;
/// Most words of a search text that count; the others are ignored.
const WORDS_MAX: usize = 8;
/// Longest search text that counts, in characters.
pub const TEXT_LEN_MAX: usize = 200;

diesel::define_sql_function! {
    /// Where a text stands in another one, from 1; 0: nowhere. No index answers it, but it reads three times as fast as
    /// LIKE does.
    fn strpos(text: Text, part: Text) -> Integer;
}

/// What a search text asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Words that are whole update ids: that update is meant, and no other that names it.
    pub ids: Vec<Uuid>,
    /// To be looked for by the index.
    rare: Vec<String>,
    /// To be looked for in the texts.
    frequent: Vec<String>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    together: i64,
    #[diesel(sql_type = Array<BigInt>)]
    each: Vec<i64>,
}

impl Words {
    /// Reads a text, and asks the sample about its words.
    ///
    /// # Errors
    /// [`CatalogError::Query`] when the database fails.
    pub async fn of(conn: &mut AsyncPgConnection, text: &str) -> Result<Self, CatalogError> {
        let (ids, words) = split(text);
        if words.is_empty() {
            return Ok(Self { ids, ..Self::default() });
        }
        let counted: Counted = diesel::sql_query(
            "WITH newest AS MATERIALIZED (SELECT search FROM update_search ORDER BY update_row DESC LIMIT $1),
                  words AS MATERIALIZED (SELECT lower(word) AS word, place FROM unnest($2) WITH ORDINALITY w (word, place))
             SELECT (SELECT count(*) FROM newest
                     WHERE NOT EXISTS (SELECT FROM words WHERE strpos(search, word) = 0)) AS together,
                    ARRAY(SELECT (SELECT count(*) FROM newest WHERE strpos(search, word) > 0)
                          FROM words ORDER BY place) AS each",
        )
        .bind::<BigInt, _>(SAMPLE)
        .bind::<Array<Text>, _>(&words)
        .kept()
        .get_result(conn)
        .await?;
        Ok(Self { ids, ..Self::sorted_by(words, &counted) })
    }

    fn sorted_by(words: Vec<String>, counted: &Counted) -> Self {
        let is_everywhere = |place: usize| counted.each.get(place).is_some_and(|count| *count >= EVERYWHERE);
        let all_walk = counted.together >= FREQUENT;
        // Without one for the index, rare company would be looked for in every text.
        let none_rare = (0..words.len()).all(is_everywhere);
        let (frequent, rare): (Vec<_>, Vec<_>) = words
            .into_iter()
            .enumerate()
            .partition(|(place, _)| all_walk || (is_everywhere(*place) && !none_rare));
        let texts = |words: Vec<(usize, String)>| words.into_iter().map(|(_, word)| word).collect();
        Self { ids: Vec::new(), rare: texts(rare), frequent: texts(frequent) }
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && !self.looks_into_texts()
    }

    /// Whether there are words that are no ids.
    pub fn looks_into_texts(&self) -> bool {
        !self.rare.is_empty() || !self.frequent.is_empty()
    }

    /// Whether few updates have them, so that what has them is better looked for once.
    pub fn are_rare(&self) -> bool {
        !self.rare.is_empty()
    }

    /// The condition on `updates` that their texts have the frequent ones.
    pub fn in_texts(&self) -> InTexts {
        InTexts(self.frequent.clone())
    }

    /// Narrows a query to texts that have them.
    pub fn narrow<'a>(&self, mut query: Searched<'a>) -> Searched<'a> {
        for word in &self.rare {
            query = query.filter(update_search::search.like(lower(pattern(word))));
        }
        for word in &self.frequent {
            query = query.filter(strpos(update_search::search, lower(word.clone())).gt(0));
        }
        query
    }
}

/// A query for rows of `update_search`.
pub(super) type Searched<'a> = diesel::helper_types::IntoBoxed<
    'a,
    diesel::dsl::Select<update_search::table, update_search::update_row>,
    diesel::pg::Pg,
>;

/// A condition on `updates`: the text has all of these words. Reading texts is what takes longest, and only those of
/// updates that meet the other conditions are read: each position, from 1, is compared with a zero that the planner
/// takes for something of the update, so that it joins before it reads.
#[derive(Debug, Clone)]
pub(super) struct InTexts(Vec<String>);

impl QueryFragment<Pg> for InTexts {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("EXISTS (SELECT FROM update_search s WHERE s.update_row = updates.update_row");
        for word in &self.0 {
            out.push_sql(" AND strpos(s.search, lower(");
            out.push_bind_param::<Text, _>(word)?;
            out.push_sql(")) > least(updates.update_row, 0)");
        }
        out.push_sql(")");
        Ok(())
    }
}

impl Expression for InTexts {
    type SqlType = Bool;
}

impl AppearsOnTable<updates::table> for InTexts {}

impl<G> ValidGrouping<G> for InTexts {
    type IsAggregate = is_aggregate::No;
}

/// The ids and the other words of a search text that count.
fn split(text: &str) -> (Vec<Uuid>, Vec<String>) {
    let text: String = text.chars().filter(|sign| *sign != '\0').take(TEXT_LEN_MAX).collect();
    let (mut ids, mut words) = (Vec::new(), Vec::new());
    for word in text.split_whitespace().take(WORDS_MAX) {
        match id(word) {
            Some(id) => ids.push(id),
            None => words.push(word.to_owned()),
        }
    }
    (ids, words)
}

fn id(word: &str) -> Option<Uuid> {
    Uuid::parse_str(word).ok().filter(|_| word.len() == 36)
}

/// The LIKE pattern of a word, with the signs that mean something to LIKE made plain.
fn pattern(word: &str) -> String {
    let plain = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{plain}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text).1
    }

    #[test]
    fn each_word_is_looked_for_and_signs_of_like_are_plain() {
        assert_eq!(words(" KB500  100%_a\\b "), ["KB500", "100%_a\\b"]);
        assert_eq!(pattern("100%_a\\b"), "%100\\%\\_a\\\\b%");
        assert!(words(" \t ").is_empty());
    }

    #[test]
    fn r023_nul_and_endless_texts_are_cut() {
        assert_eq!(words("a\0b"), ["ab"]);
        assert_eq!(words(&"x ".repeat(500)).len(), WORDS_MAX);
        assert_eq!(words(&"y".repeat(5_000))[0].len(), TEXT_LEN_MAX);
    }

    #[test]
    fn only_a_whole_id_is_an_id() {
        assert!(id("1B86B7D5-8b1e-4c06-9d51-6d3e0a1c9a01").is_some());
        assert_eq!(id("1b86b7d58b1e4c069d516d3e0a1c9a01"), None);
        assert_eq!(id("1b86b7d5-8b1e-4c06-9d51-6d3e0a1c9a0"), None);
    }

    fn sorted(together: i64, each: &[i64]) -> (Vec<String>, Vec<String>) {
        let words = (0..each.len()).map(|place| place.to_string()).collect();
        let sorted = Words::sorted_by(words, &Counted { together, each: each.to_vec() });
        (sorted.rare, sorted.frequent)
    }

    #[test]
    fn the_index_gets_the_words_that_tell_most() {
        let none: [String; 0] = [];
        assert_eq!(sorted(0, &[500, 3]), (vec!["1".to_owned()], vec!["0".to_owned()]), "one is everywhere");
        assert_eq!(sorted(60, &[60]), (none.to_vec(), vec!["0".to_owned()]), "often");
        assert_eq!(sorted(2, &[60, 55]).1, none, "each often, together rare");
        assert_eq!(sorted(2, &[300, 300]).1, none, "each everywhere, together rare");
        assert_eq!(sorted(0, &[0]).1, none, "an empty catalogue");
    }
}
