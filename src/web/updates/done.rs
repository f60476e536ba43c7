//! What was just done to updates, carried through the address from the form back to the list.

use rocket::form::{self, FromFormField, ValueField};

use crate::web::words;

/// A deed and how many updates it concerned, written `approved-3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Approved(u32),
    Declined(u32),
    Restored(u32),
    Undone(u32),
}

impl Done {
    /// A sentence for the person who did it.
    pub fn words(self) -> String {
        let updates = |count| words::counted(i64::from(count), "update", "updates");
        match self {
            Self::Approved(count) => format!("The approval of {} has been changed.", updates(count)),
            Self::Declined(count) => format!("Declined: {}.", updates(count)),
            Self::Restored(count) => format!("No longer declined: {}.", updates(count)),
            Self::Undone(count) => format!(
                "The last change is undone. {} as before.",
                match count {
                    1 => "1 update is".to_owned(),
                    many => format!("{} are", updates(many)),
                }
            ),
        }
    }

    /// Whether the person may take it back at once.
    pub fn can_be_undone(self) -> bool {
        !matches!(self, Self::Undone(_))
    }

    /// `back` with this deed added.
    pub fn after(self, back: &str) -> String {
        let (word, count) = match self {
            Self::Approved(count) => ("approved", count),
            Self::Declined(count) => ("declined", count),
            Self::Restored(count) => ("restored", count),
            Self::Undone(count) => ("undone", count),
        };
        let join = if back.contains('?') { '&' } else { '?' };
        format!("{back}{join}done={word}-{count}")
    }

    fn read(text: &str) -> Option<Self> {
        let (word, count) = text.split_once('-')?;
        let count = count.parse().ok()?;
        match word {
            "approved" => Some(Self::Approved(count)),
            "declined" => Some(Self::Declined(count)),
            "restored" => Some(Self::Restored(count)),
            "undone" => Some(Self::Undone(count)),
            _ => None,
        }
    }
}

#[rocket::async_trait]
impl<'r> FromFormField<'r> for Done {
    fn from_value(field: ValueField<'r>) -> form::Result<'r, Self> {
        Self::read(field.value).ok_or_else(|| form::Error::validation("not a deed").into())
    }
}

#[cfg(test)]
mod tests {
    use super::Done;

    #[test]
    fn a_deed_comes_back_from_the_address() {
        for done in [Done::Approved(1), Done::Declined(20), Done::Restored(3), Done::Undone(1)] {
            let address = done.after("/updates?q=KB5");
            let (_, text) = address.split_once("&done=").unwrap();
            assert_eq!(Done::read(text), Some(done));
        }
        assert_eq!(Done::Declined(1).after("/updates"), "/updates?done=declined-1");
        for bad in ["", "approved", "approved-x", "burnt-3", "approved--1"] {
            assert_eq!(Done::read(bad), None, "{bad}");
        }
    }
}
