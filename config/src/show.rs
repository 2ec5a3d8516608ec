//! The effective configuration as YAML: every default filled in, names given, `extends` applied.

use serde_saphyr::ser_options;

use crate::config::Config;

/// The effective configuration as YAML, which reads back as an equal `Config`. No key of it holds a secret yet; one that will
/// (a token, a password) is to be a type whose `Serialize` writes `<redacted>`.
#[must_use]
pub fn show(config: &Config) -> String {
    let text = write(config, false);
    // Text with `${` must be quoted, or it would be taken for a variable; then everything is, which is plain and rare.
    if text.contains("${") { write(config, true) } else { text }
}

fn write(config: &Config, quote_all: bool) -> String {
    let mut text = String::new();
    let options = ser_options! { prefer_block_scalars: false, quote_all: quote_all };
    // Writing into a string cannot fail, and no type of the configuration refuses to be serialized.
    match serde_saphyr::to_fmt_writer_with_options(&mut text, config, options) {
        Ok(()) => text,
        Err(error) => format!("# cannot be shown: {error}\n"),
    }
}
