//! The catalogue: storing in bulk, publishing, membership, and what readers find.

pub mod build;
mod circles;
mod finding;
mod membership;
mod publishing;
mod scale;
mod storing;
