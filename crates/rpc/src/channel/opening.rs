//! How a channel's connection is made, and who drives it.
//!
//! What it leaves to others: dialling (`connect`), when one is made and what state that is (`keep`).

use std::{io, sync::Arc};

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tasks::Policy;
use tokio::sync::oneshot;
use tonic::body::Body;

use super::{greeting::Greeted, keep::Core};
use crate::{
    connection::Spawner,
    line::{Line, WINDOW},
};

impl Core {
    /// One connection, driven by a task of its own so that its calls outlive a rest.
    pub(super) async fn open(&self) -> io::Result<SendRequest<Body>> {
        // Cut here where nobody waits for it any more.
        let own = self.cut.child_token();
        let unwanted = own.clone().drop_guard();
        let (tell, greeted) = oneshot::channel();
        let line = Line::new(Greeted::new(self.dialer.dial().await?, tell), own);
        let args = &self.args;
        let mut builder = Builder::new(Spawner::new(&self.tasks));
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(args.most_metadata)
            .keep_alive_interval(args.keepalive_time)
            .keep_alive_timeout(args.keepalive_timeout)
            .keep_alive_while_idle(args.keepalive_without_calls);
        let (sender, connection) = builder
            .handshake(TokioIo::new(line))
            .await
            .map_err(io::Error::other)?;
        let mut connection = Box::pin(connection);
        let no_server = || io::Error::other("no HTTP/2 server answers there");
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Err(ended.err().map_or_else(no_server, io::Error::other)),
            greeted = greeted => greeted.map_err(|_no_settings| no_server())?,
        }
        unwanted.disarm();
        let ended = self.tasks.token();
        let lost = Arc::clone(&self.lost);
        self.tasks
            .spawn("connection of a channel", Policy::MayEnd, async move {
                tokio::select! {
                    biased;
                    () = ended.cancelled() => {}
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(%error, "a channel's connection ended");
                    },
                }
                // Told to whoever keeps a connection now; it looks whether it is this one.
                lost.notify_one();
            });
        Ok(sender)
    }
}
