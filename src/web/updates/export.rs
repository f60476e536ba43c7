//! `/updates/export/updates.csv` and `.json`: everything a filter finds, as a stream. A page of the list is read, sent
//! and forgotten before the next one, so memory does not grow with the number of updates.

use rocket::http::{ContentType, Header};
use rocket::response::stream::{ByteStream, stream};
use rocket::response::{self, Responder};
use rocket::{Request, Route, get, routes};
use serde_json::json;
use uuid::Uuid;

use super::address::{Address, Query};
use super::severity;
use crate::approvals::Side;
use crate::approvals::state::{self, Summary};
use crate::catalog::Kind;
use crate::catalog::updates::{self, Cut, PAGE_MAX, UpdateLine};
use crate::web::download::{BOM, Form, csv_row, disposition};
use crate::web::{Db, PageError, Reporter, words};

const COLUMNS: [&str; 13] = [
    "Update ID",
    "Revision",
    "Title",
    "Products",
    "Classification",
    "Released",
    "Arrived",
    "Severity",
    "KB",
    "Approval",
    "Files",
    "Bytes",
    "State",
];

pub(super) fn routes() -> Vec<Route> {
    routes![export_updates]
}

/// Bytes that come one after the other, to store.
type Bytes = std::pin::Pin<Box<dyn rocket::futures::Stream<Item = Vec<u8>> + Send>>;

struct Export {
    body: ByteStream<Bytes>,
    content_type: ContentType,
    disposition: Header<'static>,
}

impl<'r> Responder<'r, 'r> for Export {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let mut response = self.body.respond_to(request)?;
        response.set_header(self.content_type);
        response.set_header(self.disposition);
        Ok(response)
    }
}

#[get("/updates/export/<file>?<query..>")]
async fn export_updates(
    _reporter: Reporter,
    mut db: Db,
    file: &str,
    query: Query,
) -> Result<Export, PageError> {
    let form = Form::of_file(file, "updates")?;
    let side = Side::now(&mut db.0).await?;
    let mut address = Address::read(query);
    if address.strange {
        return Err(PageError::Refused("A filter in the address does not exist.".to_owned()));
    }
    address.filter.mirrored = side.mirrored();
    Ok(Export {
        body: ByteStream(Box::pin(bytes(db, address, side, form))),
        content_type: form.content_type(),
        disposition: disposition(file),
    })
}

fn bytes(
    mut db: Db,
    address: Address,
    side: Side,
    form: Form,
) -> impl rocket::futures::Stream<Item = Vec<u8>> {
    stream! {
        let mut text = String::new();
        match form {
            Form::Csv => {
                text.push_str(BOM);
                csv_row(&mut text, &COLUMNS);
            }
            Form::Json => text.push('['),
        }
        yield std::mem::take(&mut text).into_bytes();
        let mut cut = Cut::First;
        let mut first = true;
        loop {
            let page = match part(&mut db, &address, side, cut).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(%error, "an export of updates ended early");
                    // Whoever reads a table must see that it is not whole; a document without its end shows it.
                    if form == Form::Csv {
                        csv_row(&mut text, &["The export ended early. Try again."]);
                        yield text.into_bytes();
                    }
                    return;
                }
            };
            for (line, summary) in &page.0 {
                match form {
                    Form::Csv => csv_row(&mut text, &cells(line, *summary)),
                    Form::Json => {
                        text.push_str(if first { "\n" } else { ",\n" });
                        text.push_str(&as_json(line, *summary).to_string());
                    }
                }
                first = false;
            }
            if !text.is_empty() {
                yield std::mem::take(&mut text).into_bytes();
            }
            match page.1 {
                Some(next) => cut = next,
                None => break,
            }
        }
        if form == Form::Json {
            yield b"\n]\n".to_vec();
        }
    }
}

/// A page of the list with its decisions, and where the next one begins.
type Part = (Vec<(UpdateLine, Summary)>, Option<Cut>);

async fn part(db: &mut Db, address: &Address, side: Side, cut: Cut) -> Result<Part, PageError> {
    let page = updates::list(&mut db.0, &address.filter, address.sort, cut, PAGE_MAX).await?;
    let ids: Vec<Uuid> = page.lines.iter().map(|line| line.update_id).collect();
    let decisions = state::summaries(&mut db.0, side, &ids).await?;
    let next = page.lines.last().filter(|_| page.has_after).map(|line| Cut::After(line.key));
    let with = |line: UpdateLine| {
        let summary = decisions.get(&line.update_id).copied().unwrap_or_default();
        (line, summary)
    };
    Ok((page.lines.into_iter().map(with).collect(), next))
}

fn products(line: &UpdateLine) -> Vec<&str> {
    line.categories.iter().filter(|one| one.kind == Kind::Category).map(|one| one.title.as_str()).collect()
}

fn state(line: &UpdateLine) -> &'static str {
    match (line.expired, line.superseded) {
        (true, _) => "Expired",
        (false, true) => "Superseded",
        (false, false) => "Current",
    }
}

fn cells(line: &UpdateLine, summary: Summary) -> [String; 13] {
    [
        line.update_id.to_string(),
        line.revision.to_string(),
        line.title.clone(),
        products(line).join(", "),
        line.classifications(),
        words::iso(line.created),
        words::iso(line.arrived_at),
        severity(line.severity).to_owned(),
        line.kb.join(" "),
        summary.words(),
        line.files.label().to_owned(),
        line.bytes.to_string(),
        state(line).to_owned(),
    ]
}

fn as_json(line: &UpdateLine, summary: Summary) -> serde_json::Value {
    json!({
        "update": line.update_id,
        "revision": line.revision,
        "title": line.title,
        "products": products(line),
        "classification": line.classifications(),
        "released": words::iso(line.created),
        "arrived": words::iso(line.arrived_at),
        "severity": severity(line.severity),
        "kb": line.kb,
        "approval": summary.words(),
        "files": line.files.key(),
        "bytes": line.bytes,
        "state": state(line),
    })
}
