//! The catalogue: storing in bulk, publishing, membership, and what readers find.

mod build;
mod finding;
mod membership;
mod publishing;
mod storing;
