//! What is wrong with the configuration, all of it at once.

use std::fmt;

/// One fault: where it is, in the words the person used, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// `WEIR_CONSOLE_PORT`, or `console_port in /etc/weir.toml`.
    pub place: String,
    pub problem: String,
}

/// Every fault found, at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigFaults(pub Vec<ConfigFault>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The configuration cannot be used:")?;
        for fault in &self.0 {
            write!(f, "\n  {}: {}.", fault.place, fault.problem)?;
        }
        Ok(())
    }
}
