//! The one file that touches the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::read::{self, TEXT_BYTES_MAX};
use crate::report::Report;

/// Why a configuration file gave no `Config`.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read, is not UTF-8 or is larger than 4 MiB.
    #[error("cannot read the configuration {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and has problems.
    #[error("{0}")]
    Invalid(Report),
}

/// Reads the file and parses it; `env` answers `${VAR}`.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, LoadError> {
    read::parse(&text(path)?, &path.display().to_string(), env).map_err(LoadError::Invalid)
}

/// The file's text, for [`parse`](crate::parse).
///
/// # Errors
/// [`LoadError::Io`].
pub fn text(path: &Path) -> Result<String, LoadError> {
    read(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // One byte more than allowed: `parse` then sees that it is too large, and a device that never ends is not read to its end.
    File::open(path)?.take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
