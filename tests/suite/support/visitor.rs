//! A person at the console, without a browser: keeps cookies, follows nothing, fills forms.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

use super::Page;
use super::tls::Authority;

/// Longest wait for a whole answer.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// Sends requests as a browser on the same site would.
pub struct Visitor {
    origin: String,
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Visitor {
    /// `origin`: scheme, host and port.
    pub fn new(origin: &str) -> Self {
        Self::from_address(origin, None)
    }

    /// The same from another address of this machine, such as 127.0.0.2.
    pub fn from_address(origin: &str, address: Option<std::net::IpAddr>) -> Self {
        Self::build(origin, reqwest::Client::builder().local_address(address))
    }

    /// The same over TLS, trusting this authority and no other.
    pub fn trusting(origin: &str, authority: &Authority, address: Option<std::net::IpAddr>) -> Self {
        let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
        Self::build(origin, reqwest::Client::builder().local_address(address).tls_certs_only([root]))
    }

    fn build(origin: &str, http: reqwest::ClientBuilder) -> Self {
        let http =
            http.no_proxy().timeout(ANSWER_WAIT).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { origin: origin.to_owned(), http, cookies: Mutex::default() }
    }

    /// Opens a page. Redirects are answers, not followed.
    pub async fn get(&self, path: &str) -> Page {
        self.send(self.request(Method::GET, path)).await
    }

    /// Opens a page as somebody who reads these languages.
    pub async fn get_in(&self, path: &str, languages: &str) -> Page {
        self.send(self.request(Method::GET, path).header("Accept-Language", languages)).await
    }

    /// Opens the fragment that htmx would ask for.
    pub async fn get_fragment(&self, path: &str) -> Page {
        self.send(self.request(Method::GET, path).header("HX-Request", "true")).await
    }

    /// Posts fields as they are.
    pub async fn post_raw(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .request(Method::POST, path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Origin", &self.origin)
            .header("Sec-Fetch-Site", "same-origin")
            .body(body);
        self.send(request).await
    }

    /// Opens `from`, takes its anti-forgery token, and posts `fields` to `path` with it.
    pub async fn post_from(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get(from).await.csrf();
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        self.post_raw(path, &all).await
    }

    /// Posts to a page that shows its own form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_from(path, path, fields).await
    }

    /// Fills the sign-in page.
    pub async fn sign_in(&self, name: &str, password: &str) -> Page {
        self.post_raw("/login", &[("name", name), ("password", password)]).await
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// A request with this visitor's cookies, to be changed and given to [`Visitor::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.origin));
        let cookies = self.cookies.lock().unwrap();
        if cookies.is_empty() {
            return request;
        }
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header(COOKIE, pairs.join("; "))
    }

    pub async fn send(&self, request: RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        for set in response.headers().get_all(SET_COOKIE) {
            self.keep(set.to_str().unwrap());
        }
        Page::read(response).await
    }

    fn keep(&self, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let gone = value.is_empty() || parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
        let mut cookies = self.cookies.lock().unwrap();
        if gone {
            cookies.remove(name);
        } else {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
