//! The encoding of a dump: that of its database.

/// Encodings in which every ASCII byte stands for itself only, so that quotes are where they seem
/// to be: all those of servers, and none that only clients support.
const KNOWN: [&str; 35] = [
    "UTF8",
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "KOI8U",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
];

/// The encoding of a dump's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) struct Encoding(&'static str);

impl Default for Encoding {
    fn default() -> Self {
        Self("UTF8")
    }
}

impl Encoding {
    /// Returns the encoding in `SET client_encoding = '…';`, if a database can have it.
    pub(in crate::postgres) fn of(statement: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(statement).ok()?.trim();
        let name = text.strip_prefix("SET client_encoding = '")?.strip_suffix("';")?;
        KNOWN.into_iter().find(|known| *known == name).map(Self)
    }

    /// Returns its name, as the server spells it.
    pub(in crate::postgres) fn name(self) -> &'static str {
        self.0
    }

    /// Returns the option of `COPY` for rows in it; `None` if they need none.
    pub(in crate::postgres) fn copy_option(self) -> Option<String> {
        (self != Self::default()).then(|| format!("ENCODING '{}'", self.0))
    }

    /// Returns a name or a statement as text; `None` if it cannot be decoded. Nearly all are in
    /// ASCII, whatever the encoding is.
    pub(in crate::postgres) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self.0 {
            "LATIN1" => Some(bytes.iter().copied().map(char::from).collect()),
            "UTF8" | "SQL_ASCII" => std::str::from_utf8(bytes).ok().map(str::to_owned),
            _ => bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn names_use_the_dumps_encoding() {
        let of = |name: &str| Encoding::of(format!("SET client_encoding = '{name}';\n").as_bytes());
        assert_eq!(of("UTF8"), Some(Encoding::default()));
        assert_eq!(of("SJIS"), None, "a quote may be half a character");
        let decode = |name, bytes: &[u8]| of(name).unwrap().decode(bytes);
        assert_eq!(decode("LATIN1", b"caf\xe9").as_deref(), Some("café"));
        assert_eq!(decode("SQL_ASCII", "café".as_bytes()).as_deref(), Some("café"));
        assert_eq!(decode("SQL_ASCII", b"caf\xe9"), None);
        assert_eq!(decode("EUC_JP", b"table").as_deref(), Some("table"));
        assert_eq!(decode("EUC_JP", b"\xa4\xa2"), None);
    }
}
