//! What a page sends with POST. Every handler that is posted to takes a [`Form`].
//!
//! A form is taken whole or not at all: a field it does not have, one that comes twice where one is meant, or one with
//! a NUL, refuses it before the handler runs. No page of ours sends such a thing, so the refusal is written down.

use std::ops::Deref;

use rocket::data::{Data, FromData, Outcome};
use rocket::form::error::ErrorKind;
use rocket::form::{FromForm, Options, ValueField};
use rocket::http::Status;
use rocket::request::Request;
use serde_json::json;

use super::guards;
use super::shell::{self, SessionState};

/// The anti-forgery token: a part of every form, read before routing.
const CSRF: &str = "csrf";
/// Fields that a refusal names.
const NAMED_MAX: usize = 5;
/// Characters of a name that a refusal shows.
const NAME_CHARS: usize = 40;

/// A form with the fields of `T` and no others, sent as `application/x-www-form-urlencoded`.
///
/// Errors: 413 above the limit `form` of Rocket, 415 for another content type, 422 for a field that does not belong
/// to it, comes twice, holds a NUL or cannot be read. Of all but the last of these the page names the field.
pub struct Form<T>(T);

/// The form of a button: it has no fields of its own.
#[derive(FromForm)]
pub struct NoFields {
    /// Here since a form has to have a field; nobody reads it.
    #[field(name = "csrf")]
    _csrf: Option<String>,
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Form<T> {
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Why the form of a request was refused, kept with the request for its error page.
#[derive(Debug, Default)]
pub struct FormFault(Option<String>);

impl FormFault {
    /// The sentence for the visitor; `None` when there is no more to say than the status does.
    pub fn of<'r>(request: &'r Request<'_>) -> Option<&'r str> {
        request.local_cache(Self::default).0.as_deref()
    }
}

/// Names and values in the order they came.
struct Fields(Vec<(String, String)>);

impl Fields {
    async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Self, Status> {
        let limit = request.limits().get("form").unwrap_or(rocket::data::Limits::FORM);
        let bytes = data.open(limit).into_bytes().await.map_err(|error| {
            tracing::debug!(%error, request = shell::request_id(request), "a form broke off");
            Status::BadRequest
        })?;
        if !bytes.is_complete() {
            return Err(Status::PayloadTooLarge);
        }
        // A button without a form sends nothing, and then no content type either.
        if !bytes.is_empty() && !request.content_type().is_some_and(|kind| kind.is_form()) {
            return Err(Status::UnsupportedMediaType);
        }
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    fn as_form<'r, T: FromForm<'r>>(&'r self, options: Options) -> rocket::form::Result<'r, T> {
        let mut context = T::init(options);
        for (name, value) in &self.0 {
            T::push_value(&mut context, ValueField::from((name.as_str(), value.as_str())));
        }
        T::finalize(context)
    }

    /// What `T` does not take, in words. Only a strict reading tells; what else it finds, a lenient one judges better.
    fn foreign<'r, T: FromForm<'r>>(&'r self) -> Vec<String> {
        let Err(errors) = self.as_form::<T>(Options::Strict) else { return Vec::new() };
        let mut sentences = Vec::new();
        for error in errors.iter() {
            let name = error.name.as_ref().map(ToString::to_string).unwrap_or_default();
            let shown = shown(&name);
            let sentence = match error.kind {
                ErrorKind::Unexpected if name != CSRF => format!("This form has no field named {shown}."),
                ErrorKind::Duplicate => format!("The field {shown} was sent twice."),
                _ => continue,
            };
            if !sentences.contains(&sentence) && sentences.len() < NAMED_MAX {
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// The fields with a NUL, in words: PostgreSQL keeps none, and nobody can type one.
    fn with_nul(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for (name, _) in self.0.iter().filter(|(name, value)| name.contains('\0') || value.contains('\0')) {
            let sentence = format!("The field {} has a character that cannot be used (NUL).", shown(name));
            if !sentences.contains(&sentence) && sentences.len() < NAMED_MAX {
                sentences.push(sentence);
            }
        }
        sentences
    }
}

/// A name as a refusal shows it.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect()
}

#[rocket::async_trait]
impl<'r, T: FromForm<'r>> FromData<'r> for Form<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let fields = match Fields::read(request, data).await {
            Ok(fields) => request.local_cache(|| fields),
            Err(status) => return Outcome::Error((status, ())),
        };
        let mut faults = fields.foreign::<T>();
        faults.extend(fields.with_nul());
        if !faults.is_empty() {
            let (path, number) = (shell::shown_path(request), shell::request_id(request));
            tracing::warn!(fields = ?faults, %path, request = number, "a form that no page sends was refused");
            // Strangers fill no table.
            if let SessionState::Live(_) = shell::session_state(request).await {
                guards::note_refusal(request, "form.refused", Some(json!({ "reason": faults }))).await;
            }
            let sentence = format!("{} Nothing was changed.", faults.join(" "));
            request.local_cache(|| FormFault(Some(sentence)));
            return Outcome::Error((Status::UnprocessableEntity, ()));
        }
        match fields.as_form(Options::Lenient) {
            Ok(form) => Outcome::Success(Self(form)),
            Err(errors) => Outcome::Error((errors.status(), ())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(FromForm)]
    #[expect(dead_code, reason = "only the names count here")]
    struct Example {
        name: String,
        #[field(default = String::new())]
        role: String,
        disabled: bool,
        id: Vec<String>,
        group: HashMap<String, String>,
        next: Option<String>,
    }

    fn foreign(body: &str) -> Vec<String> {
        Fields(url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()).foreign::<Example>()
    }

    #[test]
    fn r205_a_field_that_a_form_does_not_have_is_named() {
        assert_eq!(foreign("csrf=x&name=a&owner=b&owner=c"), ["This form has no field named owner."]);
        assert_eq!(foreign("%3Cb%0A=1"), ["This form has no field named <b."]);
        let many: String = (0..1_000).map(|n| format!("&f{n}=")).collect();
        assert_eq!(foreign(&many).len(), NAMED_MAX);
    }

    #[test]
    fn a_field_with_a_nul_is_named() {
        let with_nul = |body: &str| {
            Fields(url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()).with_nul()
        };
        assert_eq!(with_nul("name=a&role=b%20c"), [""; 0]);
        let sentence = "The field role has a character that cannot be used (NUL).";
        assert_eq!(with_nul("name=a&role=b%00c&role=%00"), [sentence]);
        assert_eq!(with_nul("ro%00le=b"), [sentence]);
    }

    #[test]
    fn r205_lists_maps_boxes_and_absent_fields_are_fine() {
        assert_eq!(foreign(""), [""; 0]);
        assert_eq!(foreign("csrf=x&name=a&id=1&id=2&group%5Bx%5D=1&group%5By%5D=2&disabled=on"), [""; 0]);
    }

    #[test]
    fn r204_one_value_is_meant_where_one_value_is() {
        assert_eq!(foreign("role=a&role=b"), ["The field role was sent twice."]);
        assert_eq!(foreign("next=a&next=b"), [""; 0], "an optional one has no strict reading of its own");
    }
}
