//! The cookie of a conversation: how it is obtained, used, renewed and asked for again.

use std::sync::atomic::Ordering;
use std::time::Instant;

use chrono::{DateTime, Utc};
use url::Url;

use super::{SIGN_INS_MAX, UpstreamClient};
use crate::protocol::server_sync::{
    AuthPlugIn, AuthorizationCookie, Cookie, GetAuthConfig, GetAuthorizationCookie, GetCookie, Request,
};
use crate::protocol::soap::{ErrorCode, Method};
use crate::upstream::error::UpstreamError;
use crate::upstream::session::{PROTOCOL_VERSION, Session, authorization_url};

impl UpstreamClient {
    /// Calls with the present cookie; signs in again and repeats the call when the server refuses it.
    pub(super) async fn with_cookie<R>(
        &self,
        request: impl Fn(Cookie) -> R,
    ) -> Result<R::Reply, UpstreamError>
    where
        R: Request,
        R::Reply: Send + 'static,
    {
        loop {
            let (cookie, generation) = self.cookie().await?;
            match self.call(&self.service_url(R::METHOD), request(cookie)).await {
                Ok((reply, _)) => {
                    self.restarts.store(0, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(error) if error.fault_code() == Some(ErrorCode::InvalidCookie.as_str()) => {
                    self.restart(generation).await?;
                }
                Err(error) => {
                    if error.fault_code() == Some(ErrorCode::ServerChanged.as_str()) {
                        self.session.lock().await.forget();
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn cookie(&self) -> Result<(Cookie, u64), UpstreamError> {
        let mut session = self.session.lock().await;
        if session.usable(Instant::now()).is_none() {
            if session.cookie.is_some() {
                self.renew(&mut session).await?;
            } else {
                self.authorize(&mut session).await?;
            }
        }
        match session.cookie.clone() {
            Some(cookie) => Ok((cookie, session.generation)),
            None => Err(self.rejected()),
        }
    }

    /// The server refused the cookie of `generation`: sign in again, unless another call already did.
    async fn restart(&self, generation: u64) -> Result<(), UpstreamError> {
        let mut session = self.session.lock().await;
        if session.generation != generation {
            return Ok(());
        }
        if self.restarts.fetch_add(1, Ordering::Relaxed) >= SIGN_INS_MAX {
            return Err(self.rejected());
        }
        tracing::info!(address = self.transport.target().shown(), "the cookie was refused, signing in again");
        self.authorize(&mut session).await
    }

    fn rejected(&self) -> UpstreamError {
        UpstreamError::CookieRejected { address: self.transport.target().shown(), restarts: SIGN_INS_MAX }
    }

    async fn renew(&self, session: &mut Session) -> Result<(), UpstreamError> {
        match self.get_cookie(session).await {
            Err(error) if error.fault_code() == Some(ErrorCode::InvalidAuthorizationCookie.as_str()) => {
                self.authorize(session).await
            }
            other => other,
        }
    }

    pub(super) async fn authorize(&self, session: &mut Session) -> Result<(), UpstreamError> {
        for restarts in 0.. {
            session.forget();
            let (url, _) = self.authorization_service().await?;
            session.authorization = Some(self.authorization_cookie(&url).await?);
            match self.get_cookie(session).await {
                Err(error)
                    if restarts < SIGN_INS_MAX
                        && error.fault_code() == Some(ErrorCode::InvalidAuthorizationCookie.as_str()) => {}
                other => return other,
            }
        }
        Ok(())
    }

    /// Where to ask for the authorization, and the server's clock: the first call of a conversation.
    pub(in crate::upstream) async fn authorization_service(
        &self,
    ) -> Result<(Url, Option<DateTime<Utc>>), UpstreamError> {
        let (config, date) = self.call(&self.service_url(Method::GetAuthConfig), GetAuthConfig).await?;
        let plug_in = config.plug_ins.iter().find(|one| one.plug_in_id == AuthPlugIn::DSS_TARGETING);
        let target = self.transport.target();
        let plug_in = plug_in.ok_or_else(|| UpstreamError::Unreadable {
            operation: Method::GetAuthConfig.name(),
            address: target.shown(),
            reason: "it offers no sign-in that Weir knows".to_owned(),
        })?;
        Ok((authorization_url(&target.origin, &plug_in.service_url, &target.shown())?, date))
    }

    async fn authorization_cookie(&self, url: &Url) -> Result<AuthorizationCookie, UpstreamError> {
        let request = GetAuthorizationCookie {
            account_name: self.identity.name.clone(),
            account_guid: self.identity.server_id.to_string(),
        };
        Ok(self.call(url, request).await?.0.cookie)
    }

    /// The second and third call of a conversation: the authorization at `url`, then the cookie.
    pub(in crate::upstream) async fn first_cookie(&self, url: &Url) -> Result<Option<Cookie>, UpstreamError> {
        let mut session = self.session.lock().await;
        session.authorization = Some(self.authorization_cookie(url).await?);
        self.get_cookie(&mut session).await?;
        Ok(session.cookie.clone())
    }

    async fn get_cookie(&self, session: &mut Session) -> Result<(), UpstreamError> {
        let request = GetCookie {
            auth_cookies: session.authorization.iter().cloned().collect(),
            old_cookie: session.cookie.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
        };
        let (reply, date) = self.call(&self.service_url(Method::GetCookie), request).await?;
        session.keep(reply.cookie, date, Instant::now());
        Ok(())
    }
}
