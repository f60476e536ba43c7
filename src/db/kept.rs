//! Statements that a connection prepares once, although the query builder would prepare them each time.

use diesel::pg::Pg;
use diesel::prelude::QueryResult;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// Offers [`Keep::kept`] on every query.
pub trait Keep: Sized {
    /// The same query, prepared once by each connection and then only executed.
    ///
    /// Diesel prepares whatever holds SQL as text anew each time: three journeys to the database and two plans in place
    /// of one each. Use it where the text is one of a few; a connection never forgets a statement.
    fn kept(self) -> Kept<Self> {
        Kept(self)
    }
}

impl<Q: QueryFragment<Pg>> Keep for Q {}

/// See [`Keep::kept`].
#[derive(Debug, Clone, Copy)]
pub struct Kept<Q>(Q);

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Kept<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

/// No type stands for the text: statements are told apart by their SQL.
impl<Q> QueryId for Kept<Q> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Kept<Q> {
    type SqlType = Q::SqlType;
}
