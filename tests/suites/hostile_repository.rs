//! Repositories that somebody wrote to do harm, or that a disk has spoilt beyond recognition.
//!
//! Each kind of object is forged in each way that makes sense for it: too large, too many, too
//! deep, of another type, duplicated, dated in the future, leading elsewhere. The commands that
//! read it run as the real program with 1 GB of address space; each must end within a minute and by
//! itself, and one of them says what is wrong.

mod compressed;
mod daemon;
mod documents;
mod forge;
mod volumes;
