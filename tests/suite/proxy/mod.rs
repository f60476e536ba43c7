//! Synchronizing through proxy servers: a real Squid with each way to sign in, and scripted ones that misbehave.

mod faults;
mod key;
mod ranges;
mod refusals;
mod schemes;

use weir::settings::SyncOptions;

use crate::support::TestApp;
use crate::support::ntlm::Known;
use crate::support::squid::ACCOUNT;

/// Goes through the proxy server on `port` of this machine, without a sign-in.
fn go_through(options: &mut SyncOptions, port: u16) {
    options.proxy.enabled = true;
    options.proxy.server = "127.0.0.1".to_owned();
    options.proxy.port = port;
}

/// Signs in there.
fn sign_in(options: &mut SyncOptions, app: &TestApp, account: &Known, basic: bool) {
    options.proxy.credentials = true;
    options.proxy.user = account.user.to_owned();
    options.proxy.domain = account.domain.to_owned();
    options.proxy.password = Some(app.seal_proxy_password(account.password));
    options.proxy.basic = basic;
}

/// The account that Squid knows, and two that it does not.
fn wrong_password() -> Known {
    Known { password: "geheim", ..ACCOUNT }
}

fn wrong_domain() -> Known {
    Known { domain: "ELSEWHERE", ..ACCOUNT }
}
