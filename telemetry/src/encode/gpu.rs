//! What servers tell of their GPUs on their own pages of metrics: set as a whole by whoever asks them, and written as gauges. What is
//! unknown or stale is absent, never 0.

use std::sync::Arc;

use weir_config::GpuFigure;

use super::families::{Series, Sink, Value};
use crate::names::{self, Family};
use crate::snapshot::Snapshot;

/// One GPU as the server that uses it tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpu {
    /// The backend's name.
    pub backend: Arc<str>,
    /// The endpoint.
    pub endpoint: Arc<str>,
    /// What the server calls the GPU.
    pub gpu: Arc<str>,
    /// What is known, by [`GpuFigure::index`].
    pub figures: [Option<f64>; GpuFigure::ALL.len()],
}

pub(crate) fn write(snapshot: &Snapshot, sink: &mut impl Sink) {
    for figure in GpuFigure::ALL {
        let family = family(figure);
        let told = |gpu: &Gpu| gpu.figures.get(figure.index()).copied().flatten();
        if !snapshot.gpus.iter().any(|gpu| told(gpu).is_some()) {
            continue;
        }
        sink.open(family);
        for gpu in snapshot.gpus.iter() {
            let Some(value) = told(gpu) else { continue };
            let labels = [("backend", &*gpu.backend), ("endpoint", &*gpu.endpoint), ("gpu", &*gpu.gpu)];
            let series = Series { model: None, named: "model", labels: &labels, extra: None };
            sink.series(family, series, Value::Number(value));
        }
        sink.close(family);
    }
}

const fn family(figure: GpuFigure) -> &'static Family {
    match figure {
        GpuFigure::Utilization => &names::BACKEND_GPU_UTILIZATION,
        GpuFigure::MemoryUsed => &names::BACKEND_GPU_MEMORY_USED,
        GpuFigure::MemoryTotal => &names::BACKEND_GPU_MEMORY_TOTAL,
        GpuFigure::Power => &names::BACKEND_GPU_POWER,
        GpuFigure::CacheUsage => &names::BACKEND_GPU_CACHE_USAGE,
    }
}
