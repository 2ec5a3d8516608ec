//! The models of the demo, drawn from its seed: the same seed gives the same models and the same order of requests.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// One simulated model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Model {
    /// Its name.
    pub name: String,
    /// Memory it takes, MiB.
    pub size_mib: u64,
    /// Time to load it.
    pub load: Duration,
    /// Time of one answer, at the median.
    pub invoke: Duration,
}

/// All models, and the memory they share.
#[derive(Debug)]
pub(super) struct Fleet {
    /// By traffic: the first one is asked for most.
    pub models: Vec<Model>,
    /// Memory of the server, MiB: about one model in eight does not fit.
    pub memory_mib: u64,
    /// Running sums of the weights of Zipf's law, exponent 1.
    weights: Vec<f64>,
}

impl Fleet {
    pub(super) fn new(count: u32, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let models: Vec<Model> = (0..count)
            .map(|number| Model {
                name: format!("model-{number:03}"),
                size_mib: random.random_range(100..900),
                load: Duration::from_millis(random.random_range(200..1_500)),
                invoke: Duration::from_millis(random.random_range(2..30)),
            })
            .collect();
        let all: u64 = models.iter().map(|model| model.size_mib).sum();
        let memory_mib = (all * 7 / 8).max(1_000);
        let mut sum = 0.0;
        let weights = (0..count).map(|rank| {
            sum += 1.0 / f64::from(rank + 1);
            sum
        });
        let weights = weights.collect();
        Self { models, memory_mib, weights }
    }

    /// The model of the next request.
    pub(super) fn choose(&self, random: &mut StdRng) -> usize {
        let all = self.weights.last().copied().unwrap_or(1.0);
        let point = random.random_range(0.0..all);
        self.weights.partition_point(|weight| *weight <= point).min(self.models.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_models_and_the_same_requests() {
        let (one, two) = (Fleet::new(60, 7), Fleet::new(60, 7));
        assert_eq!(one.models, two.models);
        assert_ne!(one.models, Fleet::new(60, 8).models);
        let order = |fleet: &Fleet| {
            let mut random = StdRng::seed_from_u64(7);
            (0..500).map(|_| fleet.choose(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(order(&one), order(&two));
    }

    #[test]
    fn the_first_model_is_asked_for_most() {
        let fleet = Fleet::new(60, 1);
        let mut random = StdRng::seed_from_u64(1);
        let mut counts = vec![0_u32; 60];
        for _ in 0..10_000 {
            counts[fleet.choose(&mut random)] += 1;
        }
        assert!(counts[0] > 1_500 && counts[0] > counts[10] * 5, "{counts:?}");
        assert!(counts.iter().all(|count| *count > 0));
    }
}
