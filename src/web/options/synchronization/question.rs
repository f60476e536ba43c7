//! Questions the page asks before it goes on: in a dialog where there is htmx, at its top else.

use askama::Template;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// **Synchronize now** with unsaved changes.
    Synchronize,
    /// This server is about to become a replica.
    Replica {
        /// The upstream server, as shown.
        of: String,
        /// Synchronize after saving, as was asked for.
        and_synchronize: bool,
    },
}

/// The question as a dialog. Its buttons belong to the page's form.
#[derive(Template)]
#[template(path = "options/question.html")]
pub(super) struct QuestionPage {
    pub question: Question,
}
