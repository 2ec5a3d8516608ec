//! placeholder
use crate::config::Config;
use crate::dialect::Dialect;
use crate::report::Report;
/// max
pub(crate) const TEXT_BYTES_MAX: usize = 4 << 20;
/// Parses.
pub fn parse(text: &str, name: &str, _env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Report> {
    finish(serde_saphyr::from_str(text).map_err(|e| Report::one(e.to_string()))?, name)
}
pub(crate) fn dialect(text: &str, _name: &str) -> Result<Dialect, Report> {
    serde_saphyr::from_str(text).map_err(|e| Report::one(e.to_string()))
}
pub(crate) fn finish(mut config: Config, _name: &str) -> Result<Config, Report> {
    for b in &mut config.backends {
        if b.name.is_empty() {
            b.dialect.clone_into(&mut b.name);
        }
    }
    Ok(config)
}
