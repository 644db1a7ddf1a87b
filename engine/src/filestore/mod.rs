//! Reads and writes filestores: folders of files named by their content, and the volumes that store
//! them.

mod archive;
mod content;
mod error;
mod known;
mod ledger;
mod look;
#[cfg(test)]
pub(crate) mod made_up;
mod name;
mod rebuild;
mod reduce;
mod trim;
mod unpack;
mod volume;
mod walk;

pub use error::FilestoreError;
pub use known::{is_known, known};
pub(crate) use ledger::{Held, Ledger, Settled};
pub use look::{Wrong, look_at};
pub(crate) use name::FileName;
pub use name::FileNames;
pub(crate) use name::{Allowance, reserve};
pub(crate) use rebuild::{
    ListedFrame, frames, is_intact, lacking, list_again, possible_levels, write_end, write_frame, write_list,
};
pub(crate) use reduce::{compare, reduce};
pub(crate) use trim::remove_others;
pub(crate) use unpack::NewFilestore;
pub(crate) use unpack::check_path;
pub use unpack::{Unpacked, read_files, unpack};
pub(crate) use volume::{
    Bounds, Limits, ListForm, ListLine, ListedFile, WrittenVolume, read_lines, read_list, write_volume,
};
pub(crate) use walk::{Batches, FileEntry};
