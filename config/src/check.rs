//! placeholder
/// A name.
pub(crate) fn name(_: &str, _: &()) -> garde::Result {
    Ok(())
}
/// A token.
pub(crate) fn token(_: &str, _: &()) -> garde::Result {
    Ok(())
}
/// A status.
pub(crate) fn error_status(_: &u16, _: &()) -> garde::Result {
    Ok(())
}
