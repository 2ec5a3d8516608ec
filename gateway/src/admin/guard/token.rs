//! The token of the admin side: in a file, read again when the file changes, compared without telling by its time how much of a
//! guess was right, and never printed.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Shorter ones can be guessed.
const BYTES_MIN: usize = 16;
/// A file that is larger holds something else.
const BYTES_MAX: u64 = 4096;

/// The token that stands in the file, as it was read last.
#[derive(Default)]
pub struct Token {
    read: Mutex<Option<Kept>>,
}

struct Kept {
    path: PathBuf,
    /// Device, inode, size and time of change: another file, or another content.
    mark: Mark,
    token: Vec<u8>,
}

type Mark = (u64, u64, u64, i64, i64);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be read.
    #[error("cannot read admin.token_file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds too little or too much.
    #[error("admin.token_file {}: a token is {BYTES_MIN} to {BYTES_MAX} bytes of visible ASCII", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

impl Token {
    /// Reads the file, so that what is wrong with it is said at the start.
    ///
    /// # Errors
    /// A [`TokenError`]; a token that was read before stays.
    pub fn load(&self, path: &Path) -> Result<(), TokenError> {
        let mut kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
        let about = fs::metadata(path).map_err(unreadable)?;
        let mark = (about.dev(), about.ino(), about.size(), about.ctime(), about.ctime_nsec());
        if kept.as_ref().is_some_and(|kept| kept.path == path && kept.mark == mark) {
            return Ok(());
        }
        let mut text = Vec::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(unreadable)?;
        let token = text.trim_ascii();
        if text.len() as u64 > BYTES_MAX || token.len() < BYTES_MIN || !token.iter().all(u8::is_ascii_graphic)
        {
            return Err(TokenError::Malformed { path: path.to_owned() });
        }
        if about.mode() & 0o007 != 0 {
            let mode = format!("{:o}", about.mode() & 0o777);
            tracing::warn!(path = %path.display(), mode, "every user of this machine can reach admin.token_file; its mode should be 600 or 640");
        }
        *kept = Some(Kept { path: path.to_owned(), mark, token: token.to_vec() });
        Ok(())
    }

    /// Whether `shown` is the token in the file. While the file cannot be read, the last one counts.
    pub(in crate::admin) fn is(&self, path: &Path, shown: &[u8]) -> bool {
        if let Err(error) = self.load(path) {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "the admin token could not be read again");
        }
        let kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().is_some_and(|kept| kept.path == path && equal(&kept.token, shown))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Compares in a time that depends on the length of `shown` alone.
fn equal(token: &[u8], shown: &[u8]) -> bool {
    let mut differing = u8::from(token.len() != shown.len());
    for (place, byte) in shown.iter().enumerate() {
        // Beyond the token's end it is compared with its last byte: the lengths differ already.
        let other = token.get(place).or(token.last()).copied().unwrap_or_default();
        differing = std::hint::black_box(differing | (byte ^ other));
    }
    differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_equal() {
        let token = b"0123456789abcdef";
        assert!(equal(token, token));
        for other in
            [&b""[..], b"0123456789abcde", b"0123456789abcdeff", b"0123456789abcdeF", b"x123456789abcdef"]
        {
            assert!(!equal(token, other), "{other:?}");
        }
    }
}
