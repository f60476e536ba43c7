//! Names and attributes of our cookies, and a reader that is not fooled by duplicates.

use super::Console;
use rocket::Request;
use rocket::http::{Cookie, SameSite};

/// Longest cookie value we look at, in bytes.
const VALUE_BYTES_MAX: usize = 256;

/// The session cookie's name: a browser takes `__Host-` only with `Secure`, `Path=/` and no `Domain`.
pub fn session_name(console: &Console) -> &'static str {
    if console.secure { "__Host-weir" } else { "weir" }
}

/// The name of the cookie with the colours a person chose; no secret.
pub fn theme_name(console: &Console) -> &'static str {
    if console.secure { "__Host-weir-theme" } else { "weir-theme" }
}

/// The session cookie holding `token`. It ends with the browser; the server's own limits end it earlier.
pub fn session(console: &Console, token: String) -> Cookie<'static> {
    Cookie::build((session_name(console), token))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(console.secure)
        .build()
}

/// Takes the session cookie away.
pub fn session_removal(console: &Console) -> Cookie<'static> {
    let mut cookie = session(console, String::new());
    cookie.make_removal();
    cookie
}

/// The token in the request; `None` when there is none, it is too long, or there is more than one.
pub fn session_token(request: &Request<'_>) -> Option<String> {
    only(request, session_name(&Console::of(request)))
}

/// The value of the only cookie of this name.
pub fn only(request: &Request<'_>, name: &str) -> Option<String> {
    let mut values = request
        .headers()
        .get("Cookie")
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if value.len() <= VALUE_BYTES_MAX => Some(value.to_owned()),
        (Some(_), _) => None,
        // A request made inside the process may carry its cookies in the jar alone.
        (None, _) => request
            .cookies()
            .get(name)
            .map(|cookie| cookie.value().to_owned())
            .filter(|value| value.len() <= VALUE_BYTES_MAX),
    }
}
