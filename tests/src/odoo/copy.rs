//! Loads rows into a table with COPY in text format.

use std::fmt::{Display, Write as _};
use std::pin::Pin;

use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::{Client, CopyInSink, Error};

/// A running COPY into one table.
pub(super) struct Rows {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    text: String,
    fields: usize,
    in_row: usize,
}

impl Rows {
    /// Starts the COPY. `columns` are separated by commas.
    pub(super) async fn into(client: &Client, table: &str, columns: &str) -> Result<Self, Error> {
        let sink = Box::pin(client.copy_in(&format!("COPY {table} ({columns}) FROM STDIN")).await?);
        Ok(Self { sink, text: String::new(), fields: columns.split(',').count(), in_row: 0 })
    }

    fn next(&mut self) -> &mut String {
        if self.in_row > 0 {
            self.text.push('\t');
        }
        self.in_row += 1;
        &mut self.text
    }

    /// Adds a field whose text needs no escaping: a number, a date, a boolean.
    pub(super) fn plain(&mut self, value: impl Display) -> &mut Self {
        let text = self.next();
        let _ = write!(text, "{value}");
        self
    }

    /// Adds a field of any text.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        let text = self.next();
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                other => text.push(other),
            }
        }
        self
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.next().push_str("\\N");
        self
    }

    /// Adds a number or date that may be unset.
    pub(super) fn maybe(&mut self, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.plain(value),
            None => self.null(),
        }
    }

    /// Adds a text that may be unset.
    pub(super) fn maybe_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// Adds a `bytea`.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let text = self.next();
        text.push_str("\\\\x");
        for byte in value {
            let _ = write!(text, "{byte:02x}");
        }
        self
    }

    pub(super) async fn end_row(&mut self) -> Result<(), Error> {
        assert_eq!(self.in_row, self.fields, "the fields of a row: {}", self.text);
        self.in_row = 0;
        self.text.push('\n');
        if self.text.len() > 128 * 1024 {
            self.sink.feed(Bytes::from(std::mem::take(&mut self.text))).await?;
        }
        Ok(())
    }

    /// Sends the remaining rows. Without this call the table stays empty.
    pub(super) async fn finish(mut self) -> Result<u64, Error> {
        self.sink.feed(Bytes::from(std::mem::take(&mut self.text))).await?;
        self.sink.as_mut().finish().await
    }
}
