//! The layer against simulated models: what it must find, and what it must not take for a cold start.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const IDLE: Duration = Duration::from_secs(600);

fn of(began: Duration, now: Duration, time: Duration) -> Answer {
    Answer { served: Served { place: None, began, now }, time }
}

fn inferred(after_idle: Option<Duration>) -> Inferred {
    let inferred = Inferred::default();
    inferred.set(Some(&weir_config::Inferred { after_idle, two_peaks: true }));
    inferred
}

/// An answer of so many milliseconds whose request began at that second.
fn answer(began_s: u64, ms: u64) -> Answer {
    let (began, time) = (Duration::from_secs(began_s), Duration::from_millis(ms));
    of(began, began + time, time)
}

#[test]
fn the_first_answer_after_a_gap_is_cold_and_those_that_waited_beside_it() {
    let gaps = inferred(Some(IDLE));
    let said = |began, ms| gaps.answered("m", &answer(began, ms));
    assert_eq!(said(0, 3000), None, "the first ever");
    assert_eq!(said(10, 40), None);
    // Two that wait for one load, one that comes when it is over.
    assert_eq!(said(700, 5000), Some(Start::Cold));
    assert_eq!(said(703, 2500), Some(Start::Cold));
    assert_eq!(said(706, 40), None);
    assert_eq!(gaps.answered("other", &answer(2000, 40)), None);
    // Almost a gap.
    assert_eq!(said(1305, 5000), None);
}

#[test]
fn an_answer_as_fast_as_usual_after_a_gap_is_not_cold() {
    let gaps = inferred(Some(IDLE));
    for second in 0..64 {
        gaps.answered("m", &answer(second, 40));
    }
    assert_eq!(gaps.answered("m", &answer(5000, 41)), None);
    assert_eq!(gaps.answered("m", &answer(9000, 400)), Some(Start::Cold));
}

#[test]
fn the_first_answer_after_an_unload_is_cold_without_any_gap() {
    let unloads = inferred(None);
    let said = |began, ms| unloads.answered("m", &answer(began, ms));
    assert_eq!(said(0, 40), None);
    unloads.unloaded("m", Duration::from_secs(5));
    unloads.unloaded("unheard of", Duration::from_secs(5));
    assert_eq!(said(4, 3000), None, "it began before");
    assert_eq!(said(10, 3000), Some(Start::Cold));
    assert_eq!(said(20, 40), None);
}

#[test]
fn nothing_is_inferred_unless_asked_for_and_nothing_beyond_the_bound() {
    let off = Inferred::default();
    off.unloaded("m", Duration::ZERO);
    assert_eq!(off.answered("m", &answer(0, 1)), None);
    assert_eq!(off.models.load().len(), 0);
    let full = inferred(Some(IDLE));
    for model in 0..64 {
        full.answered(&model.to_string(), &answer(0, 1));
    }
    let many: HashMap<Arc<str>, Arc<Learned>> =
        (0..MODELS_MAX).map(|n| (Arc::from(n.to_string()), Arc::default())).collect();
    full.models.store(Arc::new(many));
    assert_eq!(full.answered("one more", &answer(0, 1)), None);
    assert_eq!(full.models.load().len(), MODELS_MAX);
}

/// Draws of distributions that latencies have, in milliseconds.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant,
    Uniform(f64),
    LogNormal(f64),
    Exponential,
    Pareto(f64),
}

impl Shape {
    fn draw(self, random: &mut StdRng) -> f64 {
        let unit = |random: &mut StdRng| random.random_range(1e-9..1.0_f64);
        match self {
            Self::Constant => 40.0,
            Self::Uniform(ratio) => 20.0 * (1.0 + unit(random) * ratio),
            Self::LogNormal(sigma) => {
                let (a, b) = (unit(random), unit(random));
                let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
                40.0 * (sigma * normal).exp()
            }
            Self::Exponential => 1.0 - 40.0 * unit(random).ln(),
            Self::Pareto(alpha) => 20.0 * unit(random).powf(-1.0 / alpha),
        }
    }
}

/// Of `count` answers, so many cold ones mixed in at `ratio` times the usual time: cold ones that were called cold and all cold ones, hot
/// ones that were called cold and all hot ones, after the first 512.
fn simulate(shape: Shape, cold_share: f64, ratio: f64, seed: u64, count: u64) -> [u64; 4] {
    let mut random = StdRng::seed_from_u64(seed);
    let model = inferred(None);
    let mut counts = [0; 4];
    for n in 0..count {
        let is_cold = random.random_bool(cold_share);
        let load = if is_cold { 40.0 * ratio * random.random_range(0.8..1.25) } else { 0.0 };
        let us = ((shape.draw(&mut random) + load) * 1000.0).min(1e12);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
        let time = Duration::from_micros(us as u64);
        let began = Duration::from_secs(n);
        let said = model.answered("m", &of(began, began + time, time));
        if n < 512 {
            continue;
        }
        let place = if is_cold { 0 } else { 2 };
        counts[place] += u64::from(said == Some(Start::Cold));
        counts[place + 1] += 1;
    }
    counts
}

#[test]
fn of_a_million_hot_answers_of_one_peak_fewer_than_one_in_a_thousand_are_called_cold() {
    let shapes = [
        Shape::Constant,
        Shape::Uniform(9.0),
        Shape::LogNormal(0.2),
        Shape::LogNormal(0.6),
        Shape::LogNormal(1.0),
        Shape::Exponential,
        Shape::Pareto(2.0),
        Shape::Pareto(1.5),
    ];
    let mut worst = (0.0, Shape::Constant);
    let (mut wrong, mut all) = (0, 0);
    for (n, shape) in (0..).zip(shapes) {
        let (mut of_shape, mut hot) = (0, 0);
        for seed in 0..25 {
            let [.., called, total] = simulate(shape, 0.0, 1.0, 1000 * n + seed, 5512);
            of_shape += called;
            hot += total;
        }
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let rate = of_shape as f64 / hot as f64;
        if rate > worst.0 {
            worst = (rate, shape);
        }
        wrong += of_shape;
        all += hot;
    }
    assert!(all == 1_000_000 && wrong * 1000 < all, "{wrong} of {all}, worst {worst:?}");
    assert!(worst.0 < 0.002, "{worst:?}");
}

#[test]
fn loads_that_take_ten_times_as_long_are_found() {
    for (n, shape) in
        (0..).zip([Shape::Constant, Shape::LogNormal(0.25), Shape::LogNormal(0.4), Shape::Uniform(1.0)])
    {
        for share in [0.02, 0.05, 0.2] {
            let [found, cold, wrong, hot] = simulate(shape, share, 20.0, 77 + n, 10_000);
            assert!(found * 10 >= cold * 9, "{shape:?} {share}: {found} of {cold}");
            assert!(wrong * 1000 <= hot, "{shape:?} {share}: {wrong} of {hot}");
        }
    }
}

#[test]
fn a_model_that_changes_is_learned_anew() {
    let model = inferred(None);
    let mut second = 0;
    let mut say = |ms| {
        second += 1;
        model.answered("m", &answer(second, ms))
    };
    for n in 0..1000 {
        say(if n % 20 == 0 { 3000 } else { 40 });
    }
    assert_eq!((say(40), say(3000), say(300)), (Some(Start::Hot), Some(Start::Cold), None));
    // Its work has grown: what was a cold start's time is the usual one now.
    for _ in 0..20_000 {
        say(3000);
    }
    assert_eq!((say(3000), say(2900)), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_order_of_times_breaks_it(times in prop::collection::vec((0..u64::MAX, 0..u64::MAX, 0..u64::MAX), 0..300)) {
        let model = inferred(Some(IDLE));
        for (began, ended, time) in times {
            let [began, ended, time] = [began, ended, time].map(Duration::from_nanos);
            model.answered("m", &of(began, ended, time));
            model.unloaded("m", time);
        }
    }
}
