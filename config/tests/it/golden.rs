//! Files that a test compares with: `WEIR_BLESS=1` writes them anew.

use std::path::Path;

/// Compares `actual` with a file below the crate's folder.
pub(crate) fn fresh(file: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{file} is stale; run the tests with WEIR_BLESS=1 and look at the difference\n{actual}"
    );
}
