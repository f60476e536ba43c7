//! The smallest HTTP client there is, so that what asks costs less than what answers: one connection, one request at
//! a time, answers with a length.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A kept connection, with the cookie of a session.
pub struct Visitor {
    stream: BufReader<TcpStream>,
    port: u16,
    cookie: String,
    /// Of the last answer.
    pub body: Vec<u8>,
    line: String,
}

impl Visitor {
    pub async fn open(port: u16, session: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let cookie = session.map(|token| format!("Cookie: weir={token}\r\n")).unwrap_or_default();
        let stream = BufReader::with_capacity(1 << 16, stream);
        Ok(Self { stream, port, cookie, body: Vec::new(), line: String::new() })
    }

    /// Asks for a page; answers with the status and the milliseconds until its last byte.
    pub async fn get(&mut self, path: &str) -> Result<(u16, f64)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}\r\n", self.port, self.cookie);
        self.exchange(request).await
    }

    /// Sends the fields of a form, as a browser on the page would.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<(u16, f64)> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\nOrigin: http://127.0.0.1:{0}\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {1}\r\n{2}\r\n{body}",
            self.port,
            body.len(),
            self.cookie
        );
        self.exchange(request).await
    }

    /// The anti-forgery token in the last answer.
    pub fn csrf(&self) -> Result<String> {
        let text = String::from_utf8_lossy(&self.body);
        let (_, rest) = text.split_once("name=\"csrf\" value=\"").context("a form with a token")?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }

    async fn exchange(&mut self, request: String) -> Result<(u16, f64)> {
        let began = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let status = self.next_line().await?.split(' ').nth(1).context("a status")?.parse()?;
        let mut length = None;
        loop {
            let line = self.next_line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
        }
        self.body.resize(length.context("an answer with a length")?, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok((status, began.elapsed().as_secs_f64() * 1e3))
    }

    async fn next_line(&mut self) -> Result<&str> {
        self.line.clear();
        ensure!(self.stream.read_line(&mut self.line).await? > 0, "the connection was closed");
        Ok(self.line.trim_end())
    }
}
