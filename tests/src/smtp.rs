//! A mail server that supports STARTTLS, requires a password, and keeps the mail.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Identity;

/// A mail that was received.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Its headers and text, unchanged.
    pub data: String,
    /// The argument of `AUTH PLAIN`, in base64.
    pub auth: Option<String>,
    /// Whether it arrived over TLS.
    pub encrypted: bool,
}

/// A server on loopback. Its thread ends with the process.
#[derive(Debug)]
pub struct MailServer {
    /// Where it listens.
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

/// A connection, plain or encrypted.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl MailServer {
    /// Starts a server that presents this certificate. Without one it offers no STARTTLS.
    ///
    /// # Panics
    /// If no port is free, or the certificate is invalid.
    pub fn start(identity: Option<&Identity>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mails = Arc::<Mutex<Vec<Mail>>>::default();
        let (taken, tls) = (mails.clone(), identity.map(configuration));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (taken, tls) = (taken.clone(), tls.clone());
                thread::spawn(move || converse(connection, tls, &taken));
            }
        });
        Self { port, mails }
    }

    /// Returns the mails until now.
    ///
    /// # Panics
    /// If its thread panicked.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().expect("its thread did not panic").clone()
    }
}

fn configuration(identity: &Identity) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions of TLS").with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).expect("a key that fits"))
}

fn converse(connection: TcpStream, tls: Option<Arc<ServerConfig>>, taken: &Mutex<Vec<Mail>>) -> io::Result<()> {
    let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(connection.try_clone()?));
    let mut mail = Mail::default();
    write!(stream.get_mut(), "220 mail.test ESMTP\r\n")?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match verb.to_uppercase().as_str() {
            "EHLO" if tls.is_some() && !mail.encrypted => "250-mail.test\r\n250 STARTTLS".to_owned(),
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN".to_owned(),
            "STARTTLS" => {
                let Some(tls) = tls.clone() else { return Ok(()) };
                write!(stream.get_mut(), "220 go ahead\r\n")?;
                let server = ServerConnection::new(tls).map_err(io::Error::other)?;
                stream = BufReader::new(Box::new(StreamOwned::new(server, connection.try_clone()?)));
                mail.encrypted = true;
                continue;
            }
            "AUTH" => {
                mail.auth = rest.strip_prefix("PLAIN ").map(str::to_owned);
                "235 welcome".to_owned()
            }
            "MAIL" => {
                mail.from = address(rest);
                "250 ok".to_owned()
            }
            "RCPT" => {
                mail.to.push(address(rest));
                "250 ok".to_owned()
            }
            "DATA" => {
                write!(stream.get_mut(), "354 go ahead\r\n")?;
                let mut data = String::new();
                while !data.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut data)? == 0 {
                        return Ok(());
                    }
                }
                mail.data = data;
                taken.lock().map_err(|_| io::Error::other("a thread panicked"))?.push(mail.clone());
                "250 taken".to_owned()
            }
            "QUIT" => {
                return write!(stream.get_mut(), "221 bye\r\n");
            }
            _ => "250 ok".to_owned(),
        };
        write!(stream.get_mut(), "{answer}\r\n")?;
    }
}

/// Returns the address in `FROM:<a@b>`.
fn address(text: &str) -> String {
    let inside = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or_else(String::new, |(address, _)| address.to_owned())
}
