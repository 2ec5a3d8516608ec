//! The harness: a real gateway process, backends of our own with scripted faults, and small clients, all over loopback.

#![expect(clippy::unwrap_used, reason = "a harness that cannot start is a failed test")]

pub mod authority;
pub mod backend;
pub mod binary;
pub mod client;
pub mod gateway;
pub mod h2;
pub mod process;
pub mod load;
