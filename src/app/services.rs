//! The services' site: what downstream servers ask.

use diesel::QueryDsl as _;
use diesel_async::RunQueryDsl as _;
use rocket::Request;
use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Header, Status};
use rocket::{Response, catch, catchers};

use super::{AppConfig, AppError, health};
use crate::content::Store;
use crate::db::Pool;
use crate::db::schema::server_identity;
use crate::downstream::{self, NormalisePath, Services};
use crate::listen::{Limits, Site, other_methods, quiet_config};

/// Largest request in bytes. A filter that names every product there is takes a tenth of it.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// # Errors
/// [`AppError::Query`] when this server's identity cannot be read.
pub async fn site(config: &AppConfig, pool: &Pool, store: Store) -> Result<Site, AppError> {
    let mut conn = pool.get().await.map_err(|error| AppError::Pool(error.to_string()))?;
    let server_id = server_identity::table.select(server_identity::server_id).first(&mut conn).await?;
    drop(conn);
    let services = Services {
        pool: pool.clone(),
        places: downstream::Places::default(),
        secret: config.secret.as_ref().clone(),
        server_id,
        store,
        limits: downstream::Limits { body_bytes: REQUEST_BYTES as u64 },
    };
    let rocket = rocket::custom(quiet_config(REQUEST_BYTES))
        .manage(pool.clone())
        .manage(services)
        .attach(NormalisePath)
        .attach(PlainHeaders)
        .register("/", catchers![refused])
        .mount("/", health::routes())
        .mount("/", downstream::routes());
    Ok(Site::launch(rocket).await?)
}

pub fn limits() -> Limits {
    Limits { connections: 512, body_bytes: |_| REQUEST_BYTES, ..Limits::default() }
}

/// What no service answers for: the status and its name, nothing about the program.
#[catch(default)]
fn refused(status: Status, request: &Request<'_>) -> (Status, String) {
    let wrong_method = status == Status::NotFound && other_methods(request).is_some();
    let status = if wrong_method { Status::MethodNotAllowed } else { status };
    (status, format!("{status}\n"))
}

/// Nothing here is a page: no browser may take it for one.
struct PlainHeaders;

#[rocket::async_trait]
impl Fairing for PlainHeaders {
    fn info(&self) -> Info {
        Info { name: "headers of the services", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if let Some(methods) =
            other_methods(request).filter(|_| response.status() == Status::MethodNotAllowed)
        {
            response.set_header(Header::new("Allow", methods));
        }
        response.set_header(Header::new("X-Content-Type-Options", "nosniff"));
        response
            .set_header(Header::new("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"));
        response.set_header(Header::new("X-Frame-Options", "DENY"));
        response.set_header(Header::new("Referrer-Policy", "no-referrer"));
        response.set_header(Header::new("Cross-Origin-Opener-Policy", "same-origin"));
    }
}
