//! One HTTP/1.1 connection, polled by whoever waits for what comes over it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};

use super::idle::Idle;
use crate::relay::Relay;

/// Bytes to and from a peer, whatever lies between.
pub(super) trait Io: hyper::rt::Read + hyper::rt::Write + Send + Sync + Unpin {}

impl<T: hyper::rt::Read + hyper::rt::Write + Send + Sync + Unpin> Io for T {}

/// A connection. Nothing moves on it unless somebody waits for an answer; dropping it closes it.
pub(super) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Connection<Box<dyn Io>, Full<Bytes>>>,
}

/// Why there is no answer.
pub(super) enum SendFault {
    /// Not a byte of the request has left.
    Unsent(Box<Request<Full<Bytes>>>),
    /// The request may have arrived.
    Interrupted,
}

impl Wire {
    pub(super) async fn new(io: Box<dyn Io>) -> hyper::Result<Box<Self>> {
        let (sender, connection) = http1::handshake(io).await?;
        Ok(Box::new(Self { sender, connection: Some(connection) }))
    }

    /// Sends the request and waits for the head of its answer.
    ///
    /// At the end of the answer's body the connection goes to `home`.
    pub(super) async fn send(
        mut self: Box<Self>,
        request: Request<Full<Bytes>>,
        home: &Arc<Idle>,
    ) -> Result<Response<WireBody>, SendFault> {
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let (mut relay, connection) = (Relay::default(), &mut self.connection);
        let answered = std::future::poll_fn(|cx| {
            relay.poll(cx, |cx| {
                drive(connection, cx);
                answer.as_mut().poll(cx)
            })
        })
        .await;
        match answered {
            Ok(response) => {
                let home = Arc::clone(home);
                Ok(response.map(|body| WireBody { body: Some(body), wire: Some(self), home }))
            }
            Err(mut error) => match error.take_message() {
                Some(request) => Err(SendFault::Unsent(Box::new(request))),
                None => Err(SendFault::Interrupted),
            },
        }
    }

    /// Whether the connection is open and could take a request. Lets go of the task that polled it last.
    pub(super) fn is_idle(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// Moves what can be moved. Errors reach whoever waits for the answer.
fn drive(connection: &mut Option<Connection<Box<dyn Io>, Full<Bytes>>>, cx: &mut Context<'_>) {
    if connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(cx).is_ready()) {
        *connection = None;
    }
}

/// The body of an answer, and the connection that it comes over.
///
/// Its two ends wake each other, so it is best polled through a [`Relay`]. A connection that has nothing more to bring
/// goes back to its pool; one that has is closed, which cancels the call.
pub(super) struct WireBody {
    body: Option<Incoming>,
    wire: Option<Box<Wire>>,
    home: Arc<Idle>,
}

impl WireBody {
    fn part(&mut self) {
        // First, so that the connection can tell whether there is more to come.
        self.body = None;
        if let Some(mut wire) = self.wire.take()
            && wire.is_idle()
        {
            self.home.put(wire);
        }
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let (Some(body), Some(wire)) = (&mut this.body, &mut this.wire) else { return Poll::Ready(None) };
        // In this order: the connection lays a frame down, the body picks it up.
        drive(&mut wire.connection, cx);
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(None) => this.part(),
            Poll::Ready(Some(Err(_))) => {
                this.body = None;
                this.wire = None;
            }
        }
        polled
    }
}

impl Drop for WireBody {
    fn drop(&mut self) {
        self.part();
    }
}
