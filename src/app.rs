//! Puts the program together.
