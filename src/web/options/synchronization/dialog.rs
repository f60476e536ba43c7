//! What the page's dialogs share: full pages without a script, dialogs over the page where there is
//! htmx.
//!
//! Opening one keeps everything typed as a draft and works on a copy of it, so that Cancel leaves the
//! page as it was and OK hands the copy back. With htmx the page stays where it is all the time: OK
//! answers with the panels that changed, and what was typed beside them, the password too, is not
//! touched.

use std::sync::Arc;

use askama::Template;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::form::Fields;
use super::view::View;
use super::{ADDRESS, Scene, read};
use crate::content::Store;
use crate::settings::drafts::{self, Draft};
use crate::settings::validate::Typed;
use crate::settings::{self, Key, known_tree_for};
use crate::web::options::actor;
use crate::web::{Administrator, PageError, Reply, Shell, Wants};

/// The frame of a dialog, as its template sees it.
pub struct Frame {
    pub title: &'static str,
    /// The draft the dialog works on; empty: none yet.
    pub draft: String,
    /// The draft that Cancel goes back to; may be empty.
    pub back: String,
    /// Drawn over the page, not as one of its own.
    pub in_dialog: bool,
}

impl Frame {
    /// Where Cancel leads.
    pub fn cancel(&self) -> String {
        if self.back.is_empty() { ADDRESS.to_owned() } else { format!("{ADDRESS}?draft={}", self.back) }
    }
}

/// A dialog around a form that was rendered already.
#[derive(Template)]
#[template(path = "options/dialog.html")]
struct Dialog {
    form: String,
    /// A question or a warning, which fills no phone.
    is_small: bool,
}

/// The form alone, in a dialog over the page.
pub(super) fn over_the_page(form: askama::Result<String>) -> Result<Reply, PageError> {
    Reply::ok(&Dialog { form: form.map_err(PageError::internal)?, is_small: false })
}

/// The same for a question or a warning.
pub(super) fn asked_over_the_page(form: askama::Result<String>) -> Result<Reply, PageError> {
    Reply::ok(&Dialog { form: form.map_err(PageError::internal)?, is_small: true })
}

/// A draft with the options it lies over.
pub(super) struct Work {
    pub scene: Scene,
    /// `None`: the dialog was opened by its address alone and nothing was chosen yet.
    pub id: Option<Uuid>,
    pub back: String,
    pub draft: Draft,
}

impl Work {
    /// The draft named in an address or a form.
    pub async fn load(
        conn: &mut AsyncPgConnection,
        account_id: i64,
        named: &str,
        back: &str,
    ) -> Result<Self, PageError> {
        const GONE: PageError = PageError::NotFound { what: "unsaved choice" };
        let scene = Scene::load(conn).await?;
        let back = back.to_owned();
        if named.is_empty() {
            let draft = Draft { version: scene.current.version, ..Draft::default() };
            return Ok(Self { scene, id: None, back, draft });
        }
        let id = Uuid::try_parse(named).map_err(|_| GONE)?;
        let draft = drafts::load(conn, account_id, id).await?.ok_or(GONE)?;
        Ok(Self { scene, id: Some(id), back, draft })
    }

    /// Keeps the page's form as a draft, for a dialog that is about to open. A page of its own gets a
    /// second one to go back to; under a dialog the form itself stays.
    pub async fn open(
        conn: &mut AsyncPgConnection,
        account_id: i64,
        fields: &Fields,
        wants: Wants,
    ) -> Result<Self, PageError> {
        let sent = read(conn, account_id, fields).await?;
        let draft = sent.to_draft();
        let back = match wants {
            Wants::Page => Some(drafts::store(conn, account_id, sent.draft, &draft).await?),
            Wants::Fragment => sent.draft,
        };
        let id = Some(drafts::store(conn, account_id, None, &draft).await?);
        let back = back.map(|id| id.to_string()).unwrap_or_default();
        Ok(Self { scene: Scene::load(conn).await?, id, back, draft })
    }

    /// Brings the tree with what is new to this person, for a dialog that shows it.
    pub async fn load_tree(
        &mut self,
        conn: &mut AsyncPgConnection,
        account_id: i64,
    ) -> Result<(), PageError> {
        self.scene.tree = Arc::new(known_tree_for(conn, account_id).await?);
        Ok(())
    }

    /// The address of this dialog as a page.
    pub fn address(&self, part: &str) -> String {
        let draft = self.id.map(|id| id.to_string()).unwrap_or_default();
        format!("{ADDRESS}/{part}?draft={draft}&back={}", self.back)
    }

    /// Refuses the whole dialog on a replica, whose upstream server decides what is chosen in it.
    /// Somebody who sends a form all the same is written down.
    pub async fn refuse_if_locked(
        &self,
        conn: &mut AsyncPgConnection,
        shell: &Shell,
        is_form: bool,
    ) -> Result<(), PageError> {
        if !self.scene.current.replica {
            return Ok(());
        }
        let source = self.scene.current.source.shown();
        let sentence =
            format!("This server is a replica of {source}, which decides this. Nothing was changed.");
        if is_form {
            settings::record_refusal(conn, &actor(shell), std::slice::from_ref(&sentence)).await?;
        }
        Err(PageError::Refused(sentence))
    }

    pub fn frame(&self, title: &'static str, wants: Wants) -> Frame {
        Frame {
            title,
            draft: self.id.map(|id| id.to_string()).unwrap_or_default(),
            back: self.back.clone(),
            in_dialog: wants == Wants::Fragment,
        }
    }

    /// What is chosen so far, over what is saved.
    pub fn typed(&self) -> Typed {
        Typed { values: self.draft.values.clone(), ..Typed::default() }
    }

    /// Keeps the choice as it is now.
    pub async fn keep(&mut self, conn: &mut AsyncPgConnection, account_id: i64) -> Result<(), PageError> {
        self.id = Some(drafts::store(conn, account_id, self.id, &self.draft).await?);
        Ok(())
    }

    /// OK: the choice goes into the page's unsaved settings.
    pub async fn finish(
        mut self,
        conn: &mut AsyncPgConnection,
        admin: Administrator,
        wants: Wants,
        store: &Store,
    ) -> Result<Reply, PageError> {
        self.keep(conn, admin.account.id).await?;
        if let Ok(back) = Uuid::try_parse(&self.back) {
            drafts::forget(conn, admin.account.id, back).await?;
        }
        if wants == Wants::Page {
            let id = self.id.unwrap_or_default();
            return Ok(Reply::SeeOther(format!("{ADDRESS}?draft={id}")));
        }
        let current = &self.scene.current;
        let unchanged = |key: &Key| self.draft.values.get(key).is_none_or(|text| *text == key.text(current));
        let id = self.id.filter(|_| !IN_DIALOGS.iter().all(unchanged));
        let typed = self.typed();
        let mut view = View::new(&self.scene, &typed, true).with_draft(id);
        view.take_room(conn, store, &self.scene, &typed).await?;
        Reply::ok(&Chosen { view })
    }
}

/// What is chosen in dialogs; the rest of the settings is on the page.
const IN_DIALOGS: [Key; 7] = [
    Key::Products,
    Key::Classifications,
    Key::FilesStore,
    Key::FilesDeferred,
    Key::FilesExpress,
    Key::FilesFromMicrosoft,
    Key::FilesLanguages,
];

/// The parts of the page that dialogs change.
#[derive(Template)]
#[template(path = "options/chosen.html")]
struct Chosen {
    view: View,
}
