//! Mail, over SMTP.
//!
//! The library reads a line of the server to its end, however long it is. So the connection ends
//! after more bytes than an honest server sends, and the whole delivery has one time limit.

mod letter;

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use config::{MailConfig, SmtpTls};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub(super) use self::letter::Letter;
use super::error::SendError;

/// How long one mail may take, from the look-up of the server's name to its last answer. A server
/// may delay unknown clients for half a minute before it greets them.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a connection to one address of the server may take.
const REACH: Duration = Duration::from_secs(15);
/// How long QUIT may take after the mail was accepted.
const FAREWELL: Duration = Duration::from_secs(5);
/// The most bytes that a server may send in total: some lines, and its certificates.
const MOST_ANSWERS: u64 = 256 << 10;

type Cause = Box<dyn StdError + Send + Sync>;

/// Hands a letter to the mail server.
pub(super) async fn send(config: &MailConfig, letter: &Letter) -> Result<(), SendError> {
    let message = address(config, letter)?;
    match timeout(PATIENCE, deliver(config, &message)).await {
        Ok(delivered) => delivered,
        Err(_) => Err(SendError::Slow { host: config.host.clone(), seconds: PATIENCE.as_secs() }),
    }
}

/// Returns the letter with its headers. Marked as automatic, so that no robot answers.
fn address(config: &MailConfig, letter: &Letter) -> Result<Message, SendError> {
    let failed = |source: Cause| SendError::Mail { to: config.to.join(", "), source };
    let address = |text: &String| text.parse::<Address>().map(|address| Mailbox::new(None, address));
    let mut message: MessageBuilder =
        Message::builder().from(address(&config.from).map_err(|error| failed(error.into()))?);
    for to in &config.to {
        message = message.to(address(to).map_err(|error| failed(error.into()))?);
    }
    message
        .subject(&letter.subject)
        .message_id(None)
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
        .map_err(|error| failed(error.into()))
}

/// `Auto-Submitted: auto-generated`, as in RFC 3834.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Cause> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

async fn deliver(config: &MailConfig, message: &Message) -> Result<(), SendError> {
    let refused = |source: Cause| SendError::Smtp { host: config.host.clone(), source };
    let smtp = |error: lettre::transport::smtp::Error| refused(error.into());
    let port = match config.tls {
        SmtpTls::Tls => 465,
        SmtpTls::StartTls => 587,
        SmtpTls::None => 25,
    };
    let tcp = reach(&config.host, config.port.unwrap_or(port)).await.map_err(|error| refused(error.into()))?;
    let peer = tcp.peer_addr().map_err(|error| refused(error.into()))?;
    let tcp = Bounded { stream: tcp, left: MOST_ANSWERS };
    let stream: Box<dyn AsyncTokioStream> = match config.tls {
        SmtpTls::Tls => {
            let name = ServerName::try_from(config.host.clone()).map_err(|error| refused(error.into()))?;
            let connector = TlsConnector::from(Arc::new(wrapping(config)?));
            let stream = connector.connect(name, tcp).await.map_err(|error| refused(error.into()))?;
            Box::new(Line { stream, peer })
        }
        SmtpTls::StartTls | SmtpTls::None => Box::new(Line { stream: tcp, peer }),
    };
    let name = ClientId::default();
    let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &name).await.map_err(smtp)?;
    if matches!(config.tls, SmtpTls::StartTls) {
        connection.starttls(parameters(config)?, &name).await.map_err(smtp)?;
    }
    if let Some((user, password)) = &config.login {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(smtp)?;
    }
    connection.send(message.envelope(), &message.formatted()).await.map_err(smtp)?;
    // The mail was accepted, however the server answers to QUIT.
    let _ = timeout(FAREWELL, connection.quit()).await;
    Ok(())
}

/// Connects to the first address of the server that answers.
async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name of the host has no address");
    for address in tokio::net::lookup_host((host, port)).await? {
        match timeout(REACH, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => {
                let text = format!("{address} did not answer within {} seconds", REACH.as_secs());
                last = io::Error::new(io::ErrorKind::TimedOut, text);
            }
        }
    }
    Err(last)
}

/// Returns the settings of TLS from the first byte on.
fn wrapping(config: &MailConfig) -> Result<ClientConfig, SendError> {
    let refused = |source: Cause| SendError::Smtp { host: config.host.clone(), source };
    let mut roots = RootCertStore::empty();
    match authorities(config)? {
        Some(pem) => {
            for authority in CertificateDer::pem_slice_iter(&pem) {
                let authority = authority.map_err(|error| unreadable(config, error.into()))?;
                roots.add(authority).map_err(|error| unreadable(config, error.into()))?;
            }
        }
        // A certificate that cannot be read does not exclude the others.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| refused(error.into()))?.with_root_certificates(roots).with_no_client_auth())
}

/// Returns the settings of TLS after `STARTTLS`.
fn parameters(config: &MailConfig) -> Result<TlsParameters, SendError> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(pem) = authorities(config)? {
        let authorities = Certificate::from_pem(&pem).map_err(|error| unreadable(config, error.into()))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(authorities);
    }
    let refused =
        |error: lettre::transport::smtp::Error| SendError::Smtp { host: config.host.clone(), source: error.into() };
    parameters.build_rustls().map_err(refused)
}

/// Returns the content of `smtp_root_cert`.
fn authorities(config: &MailConfig) -> Result<Option<Vec<u8>>, SendError> {
    let read = config.root_cert.as_ref().map(std::fs::read).transpose();
    read.map_err(|error| unreadable(config, error.into()))
}

fn unreadable(config: &MailConfig, source: Cause) -> SendError {
    let path = config.root_cert.as_ref().map(|path| path.display().to_string());
    SendError::RootCert { path: path.unwrap_or_default(), source }
}

/// A connection of which no more than so many bytes are read.
#[derive(Debug)]
struct Bounded<S> {
    stream: S,
    left: u64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 {
            let text = format!("the server sent more than {} KiB of answers", MOST_ANSWERS >> 10);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.left = this.left.saturating_sub((buffer.filled().len() - before) as u64);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// A connection as the library takes one.
#[derive(Debug)]
struct Line<S> {
    stream: S,
    peer: SocketAddr,
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> AsyncTokioStream for Line<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
