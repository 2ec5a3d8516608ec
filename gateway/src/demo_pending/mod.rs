//! Placeholder of the demo, replaced by the room itself.
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// What the demo is asked for.
#[derive(Debug)]
pub struct Options {
    /// How long.
    pub time: Option<Duration>,
    /// Where traffic enters.
    pub listen: SocketAddr,
    /// Where the admin side is.
    pub admin: SocketAddr,
    /// Models.
    pub models: u32,
    /// Requests a second.
    pub rate: u32,
    /// Seed.
    pub seed: u64,
}

/// Runs it.
///
/// # Errors
/// Always.
pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    anyhow::bail!("the demo is not built yet: {options:?}")
}
