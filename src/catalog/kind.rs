//! The kinds of update, as the database numbers them and sentences name them.

use super::CatalogError;

pub use crate::protocol::document::UpdateKind as Kind;

/// The kind with this number in `revisions.kind` or `updates.kind`.
pub(super) fn from_code(code: i16) -> Result<Kind, CatalogError> {
    Kind::from_code(code)
        .ok_or_else(|| CatalogError::Unknown { what: "kind of update", value: code.to_string() })
}

/// Whether a revision of kind `new` may belong to an update that is known as `known`. An update that
/// turns into a category would change the product tree, so it is refused.
pub(super) fn same_family(known: Kind, new: Kind) -> bool {
    known == new || (!known.is_configuration() && !new.is_configuration())
}

/// In words, to be used after "a".
#[must_use]
pub fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Software => "software update",
        Kind::Driver => "driver",
        Kind::Category => "product or product family",
        Kind::Classification => "classification",
        Kind::Detectoid => "detection rule",
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, from_code, same_family};

    #[test]
    fn r111_only_software_and_drivers_are_one_family() {
        assert!(same_family(Kind::Software, Kind::Driver));
        assert!(same_family(Kind::Classification, Kind::Classification));
        assert!(!same_family(Kind::Software, Kind::Category));
        assert!(!same_family(Kind::Category, Kind::Classification));
        assert!(!same_family(Kind::Detectoid, Kind::Software));
    }

    #[test]
    fn an_unknown_number_is_an_error() {
        assert!(from_code(5).is_err());
        assert!(from_code(-1).is_err());
    }
}
