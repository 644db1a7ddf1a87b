//! Mail, over SMTP.

use engine::config::{MailConfig, SmtpTls};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, Message, SmtpTransport, Transport};

use super::carrier::CarryError;
use super::notice::Notice;
use super::web::PATIENCE;

/// Hands a notice to the mail server.
pub(super) fn send(config: &MailConfig, notice: &Notice) -> Result<(), CarryError> {
    let message = write(config, notice)?;
    let refused = |source| CarryError::Smtp { host: config.host.clone(), source: Box::new(source) };
    transport(config)?.send(&message).map(|_| ()).map_err(refused)
}

fn write(config: &MailConfig, notice: &Notice) -> Result<Message, CarryError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| CarryError::Mail { to: config.to.join(", "), source };
    let address = |text: &String| text.parse::<Address>().map(|address| Mailbox::new(None, address));
    let mut message: MessageBuilder =
        Message::builder().from(address(&config.from).map_err(|error| failed(error.into()))?);
    for to in &config.to {
        message = message.to(address(to).map_err(|error| failed(error.into()))?);
    }
    message
        .subject(format!("odoo-backup: {}", notice.summary))
        .header(ContentType::TEXT_PLAIN)
        .body(notice.text())
        .map_err(|error| failed(error.into()))
}

fn transport(config: &MailConfig) -> Result<SmtpTransport, CarryError> {
    let (tls, port) = match config.tls {
        SmtpTls::Tls => (Tls::Wrapper(parameters(config)?), 465),
        SmtpTls::StartTls => (Tls::Required(parameters(config)?), 587),
        SmtpTls::None => (Tls::None, 25),
    };
    let transport = SmtpTransport::builder_dangerous(&config.host)
        .port(config.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(PATIENCE));
    let login = config.login.as_ref();
    let login = login.map(|(user, password)| Credentials::new(user.clone(), password.expose().to_owned()));
    Ok(match login {
        Some(login) => transport.credentials(login).build(),
        None => transport.build(),
    })
}

fn parameters(config: &MailConfig) -> Result<TlsParameters, CarryError> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.root_cert {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| CarryError::RootCert {
            path: path.display().to_string(),
            source,
        };
        let pem = std::fs::read(path).map_err(|error| failed(error.into()))?;
        let authorities = Certificate::from_pem(&pem).map_err(|error| failed(error.into()))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(authorities);
    }
    let refused = |source| CarryError::Smtp { host: config.host.clone(), source: Box::new(source) };
    parameters.build_rustls().map_err(refused)
}
