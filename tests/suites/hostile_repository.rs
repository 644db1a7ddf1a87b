//! Tests repositories that an attacker wrote, or that a disk damaged beyond recognition.
//!
//! Each kind of object is forged in each way that makes sense for it: too large, too many, too
//! deep, of another type, duplicated, dated in the future, with paths that lead elsewhere. The
//! commands that read it run as the real program with 1 GB of address space. Each must end within a
//! minute without being killed, and one of them must report the fault.

mod compressed;
mod daemon;
mod documents;
mod forge;
mod volumes;
