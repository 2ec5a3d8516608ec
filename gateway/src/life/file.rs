//! Notices that the configuration file has changed.
//!
//! By looking at it once a second, not by inotify: the name is resolved anew at each look, so that it does not matter how the file
//! was replaced (written in place, renamed over, Kubernetes' `..data` swapped, a directory mounted above it), and a look works where
//! events do not come: network file systems, overlays, watches used up. It costs one `stat` a second on the control plane's thread.
//! A change is taken up when two looks in a row saw the same file, so that it is not read while it is being written; its text is then
//! hashed, so that a touch does nothing.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::source::hash_of;

/// Time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What tells two states of a file apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
}

/// The file under watch.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    hash: String,
    seen: Option<Mark>,
    settled: Option<Mark>,
}

impl Watched {
    /// Begins with the text that was loaded.
    pub(super) fn new(path: &Path, hash: &str) -> Self {
        let seen = mark(path);
        // Changed between being loaded and now: only the hash knows, so the first look reads it.
        Self { path: path.to_owned(), hash: hash.to_owned(), settled: None, seen }
    }

    /// True when the text is another one than the last that this was told or said of.
    pub(super) fn look(&mut self) -> bool {
        let now = mark(&self.path);
        let is_steady = now.is_some() && now == self.seen;
        self.seen = now;
        if !is_steady || self.seen == self.settled {
            return false;
        }
        let Ok(text) = weir_config::text(&self.path) else { return false };
        self.settled.clone_from(&self.seen);
        let hash = hash_of(text.as_bytes());
        let is_new = hash != self.hash;
        self.hash = hash;
        is_new
    }

    /// A text with this hash was loaded on somebody's order.
    pub(super) fn loaded(&mut self, hash: &str) {
        hash.clone_into(&mut self.hash);
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let path = path.canonicalize().ok()?;
    let about = path.metadata().ok()?;
    Some(Mark { length: about.len(), modified: about.modified().ok(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("weir-file-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn another_text_is_told_once_and_only_when_it_is_steady() {
        let file = folder("text").join("weir.yaml");
        std::fs::write(&file, "one").unwrap();
        let mut watched = Watched::new(&file, &hash_of(b"one"));
        assert!(!watched.look() && !watched.look());
        std::fs::write(&file, "two!").unwrap();
        assert!(!watched.look(), "seen once: it may still be written to");
        assert!(watched.look());
        assert!(!watched.look());
    }

    #[test]
    fn a_touch_is_nothing_and_a_file_that_is_gone_neither() {
        let file = folder("touch").join("weir.yaml");
        std::fs::write(&file, "one").unwrap();
        let mut watched = Watched::new(&file, &hash_of(b"one"));
        let later = SystemTime::now() + Duration::from_secs(9);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        assert!(!watched.look() && !watched.look());
        std::fs::remove_file(&file).unwrap();
        assert!(!watched.look() && !watched.look());
        std::fs::write(&file, "three").unwrap();
        assert!(!watched.look() && watched.look());
    }

    #[test]
    fn a_swapped_link_is_another_file() {
        let folder = folder("link");
        for (version, text) in [("..v1", "one"), ("..v2", "two")] {
            std::fs::create_dir(folder.join(version)).unwrap();
            std::fs::write(folder.join(version).join("weir.yaml"), text).unwrap();
        }
        std::os::unix::fs::symlink("..v1", folder.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/weir.yaml", folder.join("weir.yaml")).unwrap();
        let mut watched = Watched::new(&folder.join("weir.yaml"), &hash_of(b"one"));
        assert!(!watched.look());
        std::os::unix::fs::symlink("..v2", folder.join("..new")).unwrap();
        std::fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
        assert!(!watched.look() && watched.look() && !watched.look());
    }
}
