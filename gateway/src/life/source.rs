//! Where the configuration comes from: a file or flags, and flags that stand above the file. The same at the start and at a reload.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use weir_config::{BackendFlag, Config, ListenAddress, LoadError, Report};

use crate::seat::Seat;

/// Bytes of the SHA-256 that tell configurations apart, in hexadecimal digits.
const HASH_DIGITS: usize = 16;

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// A file or flags.
    pub origin: Origin,
    /// What flags say above it.
    pub adjust: Adjust,
}

/// A file or flags.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A file; it can be loaded again.
    File(PathBuf),
    /// `--backend` flags.
    Flags(Vec<BackendFlag>),
}

/// What flags say above a file.
#[derive(Debug, Clone, Default)]
pub struct Adjust {
    /// The first listener's address.
    pub listen: Option<ListenAddress>,
    /// The admin side's address.
    pub admin: Option<SocketAddr>,
    /// Worker threads.
    pub workers: Option<u16>,
    /// Least severe message to log.
    pub log: Option<String>,
    /// The place before a server that weir has started itself.
    pub seat: Option<Seat>,
}

/// A configuration that was loaded.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration, flags applied.
    pub config: Config,
    /// The beginning of the text's SHA-256, as `sha256sum` prints it.
    pub hash: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(LoadError),
    /// It has problems: all of them.
    #[error("the configuration is not valid:\n{0}")]
    Invalid(Report),
}

impl Source {
    /// Reads and checks; nothing is started.
    ///
    /// # Errors
    /// Why there is none.
    pub fn load(&self) -> Result<Loaded, SourceError> {
        let (mut config, hash) = match &self.origin {
            Origin::File(path) => {
                let text = weir_config::text(path).map_err(SourceError::Unreadable)?;
                let environment = |name: &str| std::env::var(name).ok();
                let config = weir_config::parse(&text, &path.display().to_string(), &environment);
                (config.map_err(SourceError::Invalid)?, hash_of(text.as_bytes()))
            }
            Origin::Flags(flags) => {
                let config = Config::from_flags(flags).map_err(SourceError::Invalid)?;
                let hash = hash_of(weir_config::show(&config).as_bytes());
                (config, hash)
            }
        };
        self.adjust.apply(&mut config);
        let config = config.checked("the command line").map_err(SourceError::Invalid)?;
        Ok(Loaded { config, hash })
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Flags(_) => None,
        }
    }
}

impl Adjust {
    fn apply(&self, config: &mut Config) {
        if let (Some(address), Some(first)) = (&self.listen, config.listeners.first_mut()) {
            first.address = address.clone();
        }
        if let Some(address) = self.admin {
            config.admin.address = address;
        }
        if self.workers.is_some() {
            config.workers = self.workers;
        }
        if let Some(level) = &self.log {
            config.log.level.clone_from(level);
        }
        if let Some(seat) = &self.seat {
            seat.take(config);
        }
    }
}

/// The beginning of the SHA-256.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    digits.chars().take(HASH_DIGITS).collect()
}
