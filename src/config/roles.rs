//! What one process of Weir does. Several on one database may share the work.

use std::str::FromStr;

/// The parts of a server, at least one of them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// The pages for people.
    pub console: bool,
    /// What downstream servers ask.
    pub services: bool,
    /// The schedule and the jobs.
    pub worker: bool,
}

impl Roles {
    /// A server that does everything.
    pub const ALL: Self = Self { console: true, services: true, worker: true };
    /// A command that does one job itself.
    pub const WORKER: Self = Self { console: false, services: false, worker: true };

    /// The words of [`Roles::from_str`], joined by commas.
    #[must_use]
    pub fn words(self) -> String {
        let words = [(self.console, "console"), (self.services, "services"), (self.worker, "worker")];
        words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect::<Vec<_>>().join(",")
    }
}

impl FromStr for Roles {
    type Err = ();

    /// Reads `console`, `services` and `worker`, separated by commas, at least one of them.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut roles = Self { console: false, services: false, worker: false };
        for word in text.split(',').map(str::trim) {
            match word {
                "console" => roles.console = true,
                "services" => roles.services = true,
                "worker" => roles.worker = true,
                _ => return Err(()),
            }
        }
        Ok(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_and_written_by_their_words() {
        assert_eq!("console,services,worker".parse(), Ok(Roles::ALL));
        assert_eq!(" worker ".parse(), Ok(Roles::WORKER));
        assert_eq!("services, console".parse::<Roles>().map(Roles::words), Ok("console,services".to_owned()));
        for wrong in ["", "everything", "console,", "console;worker"] {
            assert_eq!(wrong.parse::<Roles>(), Err(()), "{wrong}");
        }
    }
}
