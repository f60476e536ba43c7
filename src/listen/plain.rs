//! What plain HTTP may ask for where TLS is required.

use rocket::http::Method;
use rocket::http::uri::{Host, Origin};

use super::server::Door;

/// What is answered to whoever does not speak TLS, with us or with a trusted proxy.
#[derive(Debug, Clone, Copy, Default)]
pub enum Plain {
    #[default]
    Everything,
    /// Reading paths of which this says yes. Everything else is refused before its body is read.
    Only(fn(&str) -> bool),
}

impl Plain {
    pub(super) fn admits(self, method: Method, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(open) => reads(method) && open(path),
        }
    }
}

impl Door {
    /// The address of a page over TLS. `None` for what is no page, and under a name that nobody listed: no address is
    /// made of a name that only the request tells. The port is the usual one, since ours speaks no TLS here.
    pub(super) fn secure_address(
        &self,
        method: Method,
        host: &Host<'_>,
        origin: &Origin<'_>,
    ) -> Option<String> {
        let is_page = reads(method) && self.hosts.list(host);
        is_page.then(|| format!("https://{}{}{origin}", host.domain(), self.base))
    }
}

fn reads(method: Method) -> bool {
    matches!(method, Method::Get | Method::Head)
}
