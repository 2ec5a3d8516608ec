//! Numbers to bytes. Each format writes what `families` decides, so that names and values are the same in all.

pub(crate) mod escape;
mod families;
pub(crate) mod text;

pub(crate) use families::series_of;
