//! The server process of a session, as announced at its start.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_postgres::Client;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The positive answer to a request for TLS.
const TLS: &[u8] = b"S";

/// Bytes of a cancel request: its length, its code, the process, the secret.
const CANCEL: usize = 16;

/// Returns the process number. The driver shows it only in a cancel request, so one is written here
/// and sent nowhere. `None` if the driver works in another way.
pub(in crate::postgres) async fn process(client: &Client) -> Option<i32> {
    let (ours, theirs) = tokio::io::duplex(64);
    let written = async {
        let (mut read, mut write) = tokio::io::split(theirs);
        let mut bytes = Vec::new();
        // It asks for TLS if the connection has it.
        write.write_all(TLS).await.ok()?;
        read.read_to_end(&mut bytes).await.ok()?;
        let process = bytes.get(bytes.len().checked_sub(CANCEL)?..)?.get(8..12)?;
        Some(i32::from_be_bytes(process.try_into().ok()?))
    };
    let token = client.cancel_token();
    let asked = async { tokio::join!(token.cancel_query_raw(ours, Plain), written).1 };
    tokio::time::timeout(Duration::from_secs(5), asked).await.ok()?
}

/// Pretends that a stream has TLS already.
struct Plain;

impl TlsConnect<DuplexStream> for Plain {
    type Stream = PlainStream;
    type Error = io::Error;
    type Future = Ready<io::Result<PlainStream>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(PlainStream(stream)))
    }
}

struct PlainStream(DuplexStream);

impl TlsStream for PlainStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
