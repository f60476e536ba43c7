//! Which methods an address takes: Rocket says "not found" for a wrong one.

use rocket::Request;
use rocket::http::Method;

/// For an address that takes other methods than the request's: those, as an `Allow` header names them. `None`: it takes
/// the request's own, or there is nothing at the address.
pub fn other_methods(request: &Request<'_>) -> Option<String> {
    let path = request.uri().path();
    let here = || request.rocket().routes().filter(|route| is_at(route.uri.path(), path.as_str()));
    let own = match request.method() {
        Method::Head => Method::Get,
        method => method,
    };
    if here().any(|route| route.method == own || route.method == request.method()) {
        return None;
    }
    let mut names: Vec<&str> = here().map(|route| route.method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Whether a path is one of those of a route, whose `<name>` stands for one part and whose `<name..>` for all that follow.
fn is_at(route: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    for wanted in route.split('/') {
        if wanted.ends_with("..>") {
            return true;
        }
        match parts.next() {
            Some(part) if part == wanted || (wanted.starts_with('<') && !part.is_empty()) => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_at;

    #[test]
    fn a_route_has_its_own_paths() {
        for (route, path, is_there) in [
            ("/", "/", true),
            ("/users", "/users", true),
            ("/users", "/users/1", false),
            ("/users", "/use", false),
            ("/users/<id>", "/users/1", true),
            ("/users/<id>", "/users/", false),
            ("/users/<id>", "/users", false),
            ("/users/<id>/change", "/users/1/change", true),
            ("/users/<id>/change", "/users/1/2", false),
            ("/static/<path..>", "/static/a/b.css", true),
            ("/static/<path..>", "/other/a", false),
        ] {
            assert_eq!(is_at(route, path), is_there, "{route} {path}");
        }
    }
}
