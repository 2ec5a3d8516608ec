//! Numbers to bytes. Each format writes what [`families`] decides, so that names and values are the same in all.

pub(crate) mod escape;
mod bounds;
mod families;
pub(crate) mod slo;
pub(crate) mod gpu;
pub(crate) mod resident;
mod profiles;
mod foreign;
mod wire;
pub(crate) mod text;
pub(crate) mod protobuf;
pub(crate) mod otlp;
pub(crate) mod emf;
pub(crate) mod tail;
mod negotiate;

pub(crate) use families::series_of;
pub use negotiate::{Coding, Format};
