//! Who can open what is sealed: public keys.

use std::fmt;
use std::str::FromStr;

use ssh_key::PublicKey;

use crate::text::one_line;

/// The most recipients. Each takes 100 bytes of every object's header.
const MOST: usize = 32;
const LONGEST: usize = 1024;

const X25519: &str = "age1";
const SSH: &str = "ssh-ed25519";
const SECRET: &str = "AGE-SECRET-KEY-";

/// Why a text is not accepted as a recipient. The text itself is not repeated where it may be a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A private key.
    #[error("it is a private key (AGE-SECRET-KEY-…), and a recipient is a public one")]
    Secret,
    /// An RSA key.
    #[error(
        "ssh-rsa keys are not accepted: the RSA code that would open the backups can reveal the key by how long it takes (RUSTSEC-2023-0071)"
    )]
    Rsa,
    /// A type of SSH keys that age cannot encrypt to.
    #[error("{0} keys cannot be encrypted to")]
    OtherSsh(String),
    /// A recipient of a plugin, or of another kind than X25519.
    #[error("it needs a plugin of age or a later version of it; only age1… of X25519 and ssh-ed25519 are accepted")]
    Plugin,
    /// It starts as a recipient, and is cut or has a typing error.
    #[error("it is cut, or a character of it is wrong: {0}")]
    Damaged(String),
    /// It is something else.
    #[error("it is neither age1… nor ssh-ed25519 …")]
    Other,
}

impl Refused {
    /// Returns what the operator can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Secret => {
                "write its public half, which is in the file as a comment; if the configuration was readable to others, \
                 make a new key (`odoo-backup key new`)"
            }
            Self::Rsa | Self::OtherSsh(_) | Self::Plugin | Self::Other => {
                "make a recovery key with `odoo-backup key new` or `age-keygen`, or name an ssh-ed25519 key"
            }
            Self::Damaged(_) => "copy the whole line again",
        }
    }
}

/// A public key that objects are sealed to.
#[derive(Clone)]
pub struct Recipient(Kind);

#[derive(Clone)]
enum Kind {
    X25519(age::x25519::Recipient),
    Ssh { recipient: age::ssh::Recipient, comment: String },
}

impl Recipient {
    pub(super) fn of(recipient: age::x25519::Recipient) -> Self {
        Self(Kind::X25519(recipient))
    }

    /// Returns the key as age takes it, without a comment: `age1…`, or `ssh-ed25519 AAAA…`.
    pub fn key(&self) -> String {
        match &self.0 {
            Kind::X25519(recipient) => recipient.to_string(),
            Kind::Ssh { recipient, .. } => recipient.to_string(),
        }
    }

    fn as_age(&self) -> &dyn age::Recipient {
        match &self.0 {
            Kind::X25519(recipient) => recipient,
            Kind::Ssh { recipient, .. } => recipient,
        }
    }
}

impl FromStr for Recipient {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let text = text.trim();
        let starts =
            |beginning: &str| text.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning));
        if starts(SECRET) || starts("AGE-PLUGIN-") || text.contains("PRIVATE KEY") {
            return Err(Refused::Secret);
        }
        if text.len() > LONGEST {
            return Err(Refused::Damaged(format!("it is longer than {LONGEST} characters")));
        }
        if let Some(rest) = text.strip_prefix(X25519) {
            // In this alphabet, a second "1" ends the name of another kind.
            let is_other_kind = rest.contains('1');
            let damaged = |why: &str| if is_other_kind { Refused::Plugin } else { Refused::Damaged(why.into()) };
            return text.parse().map(Self::of).map_err(damaged);
        }
        let kind = text.split_ascii_whitespace().next().unwrap_or_default();
        match kind {
            SSH => of_ssh(text),
            "ssh-rsa" => Err(Refused::Rsa),
            other if ["ssh-", "ecdsa-", "sk-"].iter().any(|start| other.starts_with(start)) => {
                Err(Refused::OtherSsh(one_line(other).chars().take(60).collect()))
            }
            _ => Err(Refused::Other),
        }
    }
}

fn of_ssh(text: &str) -> Result<Recipient, Refused> {
    // Age's own parser ignores what follows the key.
    let key = PublicKey::from_openssh(text).map_err(|error| Refused::Damaged(error.to_string()))?;
    let comment = one_line(key.comment()).into_owned();
    let words = text.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
    match words.parse::<age::ssh::Recipient>() {
        Ok(recipient @ age::ssh::Recipient::SshEd25519(..)) => Ok(Recipient(Kind::Ssh { recipient, comment })),
        _ => Err(Refused::Damaged("it is not a point of the curve".into())),
    }
}

impl fmt::Display for Recipient {
    /// Writes the key with its comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())?;
        match &self.0 {
            Kind::Ssh { comment, .. } if !comment.is_empty() => write!(f, " {comment}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Recipient {
    /// Compares the keys, and not their comments.
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Recipient {}

/// Why a list of recipients is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientsError {
    /// The list is empty.
    #[error("there is no recipient, so no key could open the backups")]
    None,
    /// The list is too long.
    #[error("there are {0} recipients, and {MOST} is the most")]
    TooMany(usize),
    /// An entry is wrong.
    #[error("recipient {number} is not accepted: {why}")]
    Refused {
        /// Its place in the list, from 1 on.
        number: usize,
        /// Why.
        why: Refused,
    },
    /// Two entries are the same key.
    #[error("recipient {number} is the same key as recipient {first}")]
    Twice {
        /// The place of the later one, from 1 on.
        number: usize,
        /// The place of the earlier one.
        first: usize,
    },
}

impl RecipientsError {
    /// Returns what the operator can do.
    pub fn hint(&self) -> String {
        match self {
            Self::None => Refused::Other.hint(),
            Self::TooMany(_) => "name the keys of those few who restore; they can hand on what they restored",
            Self::Refused { why, .. } => why.hint(),
            Self::Twice { .. } => "leave one of them out",
        }
        .to_owned()
    }
}

/// At least one recipient, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients(Vec<Recipient>);

impl Recipients {
    /// Combines recipients.
    ///
    /// # Errors
    /// [`RecipientsError`]
    pub fn new(recipients: Vec<Recipient>) -> Result<Self, RecipientsError> {
        match recipients.len() {
            0 => return Err(RecipientsError::None),
            1..=MOST => {}
            many => return Err(RecipientsError::TooMany(many)),
        }
        for (index, recipient) in recipients.iter().enumerate() {
            if let Some(first) = recipients[..index].iter().position(|earlier| earlier == recipient) {
                return Err(RecipientsError::Twice { number: index + 1, first: first + 1 });
            }
        }
        Ok(Self(recipients))
    }

    /// Parses a list as it is configured.
    ///
    /// # Errors
    /// [`RecipientsError`]
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, RecipientsError> {
        let parsed = texts.into_iter().enumerate().map(|(index, text)| {
            text.as_ref().parse().map_err(|why| RecipientsError::Refused { number: index + 1, why })
        });
        Self::new(parsed.take(MOST * 8).collect::<Result<_, _>>()?)
    }

    /// Returns the recipients in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Recipient> {
        self.0.iter()
    }

    pub(super) fn as_age(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.iter().map(Recipient::as_age)
    }
}

impl From<Recipient> for Recipients {
    fn from(recipient: Recipient) -> Self {
        Self(vec![recipient])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Identity;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn refused(text: &str) -> Refused {
        text.parse::<Recipient>().expect_err(text)
    }

    #[test]
    fn recipients_print_as_given() {
        let public = Identity::generate().public().to_string();
        for text in [public.as_str(), KEY, &format!("{KEY} the admin")] {
            assert_eq!(format!(" {text}\n").parse::<Recipient>().unwrap().to_string(), text);
        }
        assert_eq!(format!("{KEY} the admin").parse::<Recipient>().unwrap().key(), KEY);
    }

    #[test]
    fn other_texts_are_refused() {
        let public = Identity::generate().public().to_string();
        let mut wrong = public.clone().into_bytes();
        wrong[20] = if wrong[20] == b'q' { b'p' } else { b'q' };
        assert!(matches!(refused(&String::from_utf8(wrong).unwrap()), Refused::Damaged(_)));
        assert!(matches!(refused(&public[..public.len() - 1]), Refused::Damaged(_)));
        assert!(matches!(refused(&KEY[..70]), Refused::Damaged(_)));
        assert!(matches!(refused(&format!("{KEY}{}", "A".repeat(2000))), Refused::Damaged(_)));
        assert_eq!(refused("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== admin"), Refused::Rsa);
        assert_eq!(refused("ecdsa-sha2-nistp256 AAAA"), Refused::OtherSsh("ecdsa-sha2-nistp256".into()));
        assert_eq!(refused("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"), Refused::Plugin);
        for other in ["", "admin@example.com", "AGE1", "ssh"] {
            assert_eq!(refused(other), Refused::Other, "{other}");
        }
    }

    #[test]
    fn private_key_is_not_repeated() {
        let secret = Identity::generate().to_file(jiff::Timestamp::UNIX_EPOCH);
        let line = secret.lines().last().unwrap();
        for text in [line.to_owned(), line.to_lowercase(), "-----BEGIN OPENSSH PRIVATE KEY-----\nabc".into()] {
            let error = Recipients::parse([KEY, &text]).unwrap_err();
            assert_eq!(error, RecipientsError::Refused { number: 2, why: Refused::Secret });
            assert!(!format!("{error} {error:?} {}", error.hint()).contains(&text[20..]));
        }
    }

    #[test]
    fn lists_have_limits() {
        let keys = |count: usize| (0..count).map(|_| Identity::generate().public()).collect::<Vec<_>>();
        assert_eq!(Recipients::new(Vec::new()), Err(RecipientsError::None));
        assert!(Recipients::new(keys(MOST)).is_ok());
        assert_eq!(Recipients::new(keys(MOST + 1)), Err(RecipientsError::TooMany(MOST + 1)));
        let other = Identity::generate().public().to_string();
        let twice = Recipients::parse([KEY, &other, &format!("{KEY} again")]);
        assert_eq!(twice, Err(RecipientsError::Twice { number: 3, first: 1 }));
    }
}
