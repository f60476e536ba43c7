//! The body of an answer on its way to the peer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::connections::{Connection, Phase};

/// Bytes as they come from Rocket. When it is dropped, the connection counts as idle again.
pub struct Answer {
    source: Source,
    connection: Arc<Connection>,
}

enum Source {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<io::Result<Bytes>>),
}

impl Answer {
    pub fn whole(text: Bytes, connection: Arc<Connection>) -> Self {
        Self { source: Source::Whole(Some(text)), connection }
    }

    pub fn stream(chunks: mpsc::Receiver<io::Result<Bytes>>, connection: Arc<Connection>) -> Self {
        Self { source: Source::Stream(chunks), connection }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = match &mut self.source {
            Source::Whole(text) => text.take().map(Ok),
            Source::Stream(chunks) => match chunks.poll_recv(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.enter(Phase::Idle);
    }
}
