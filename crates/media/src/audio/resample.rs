//! From any rate to that of Opus: windowed sinc interpolation.

use std::f64::consts::PI;

use crate::PrepareError;
use crate::audio::OPUS_RATE;

const MIN_RATE: u32 = 4_000;
const MAX_RATE: u32 = 192_000;
/// Zero crossings of the kernel on each side.
const CROSSINGS: u32 = 16;
/// Places between two samples for which the kernel is kept. Common rates need fewer, and are
/// exact; of others, the nearest is taken.
const MAX_PHASES: u32 = 512;

/// Takes samples of one rate and gives those of Opus'.
pub(crate) struct Resampler {
    rate: u32,
    phases: u32,
    /// Samples on each side that count.
    half: usize,
    /// One kernel of `2 * half` weights after another.
    weights: Vec<f32>,
    /// Samples that are still needed; the first one is `half` before `start`.
    buffer: Vec<f32>,
    start: u64,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// From `rate` samples per second.
    pub(crate) fn new(rate: u32) -> Result<Self, PrepareError> {
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(PrepareError::broken(
                "it has less than 4,000 or more than 192,000 samples per second",
            ));
        }
        // Frequencies that the result cannot hold are cut off.
        let cutoff = (f64::from(OPUS_RATE) / f64::from(rate)).min(1.0);
        let half = CROSSINGS * rate.div_ceil(OPUS_RATE);
        let phases = (OPUS_RATE / common_divisor(OPUS_RATE, rate)).min(MAX_PHASES);
        let half = usize::try_from(half).expect("it is at most 64");
        Ok(Self {
            rate,
            phases,
            half,
            weights: (0..phases)
                .flat_map(|phase| kernel(phase, phases, half, cutoff))
                .collect(),
            buffer: vec![0.0; half],
            start: 0,
            taken: 0,
            given: 0,
        })
    }

    /// The rate that it takes.
    pub(crate) const fn rate(&self) -> u32 {
        self.rate
    }

    /// Takes samples, and adds to `output` what is known now.
    pub(crate) fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) {
        self.taken += samples.len() as u64;
        self.buffer.extend_from_slice(samples);
        self.give(output, u64::MAX);
    }

    /// Adds the rest: as much as the whole lasts.
    pub(crate) fn finish(mut self, output: &mut Vec<f32>) {
        let total = self.taken * u64::from(OPUS_RATE) / u64::from(self.rate);
        self.buffer.extend(std::iter::repeat_n(0.0, self.half));
        self.give(output, total);
    }

    fn give(&mut self, output: &mut Vec<f32>, total: u64) {
        let taps = 2 * self.half;
        while self.given < total {
            let (at, phase) = self.place();
            let first = usize::try_from(at - self.start)
                .unwrap_or(usize::MAX)
                .saturating_add(1);
            let Some(samples) = self.buffer.get(first..first.saturating_add(taps)) else {
                break;
            };
            let weights = &self.weights[phase * taps..(phase + 1) * taps];
            output.push(
                samples
                    .iter()
                    .zip(weights)
                    .map(|(sample, weight)| sample * weight)
                    .sum(),
            );
            self.given += 1;
        }
        let (at, _) = self.place();
        let done = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let done = done.min(self.buffer.len());
        self.buffer.drain(..done);
        self.start += done as u64;
    }

    /// The sample before the next one to give, and how far behind it that is, in phases.
    fn place(&self) -> (u64, usize) {
        let rate = u64::from(OPUS_RATE);
        let position = self.given * u64::from(self.rate);
        let phases = u64::from(self.phases);
        let phase = (position % rate) * phases / rate;
        let phase = usize::try_from(phase).expect("there are few phases");
        (position / rate, phase)
    }
}

/// The weights of the samples around a place that is `phase` of `phases` behind one of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "weights need no more precision than samples, and distances are small"
)]
fn kernel(phase: u32, phases: u32, half: usize, cutoff: f64) -> impl Iterator<Item = f32> {
    let behind = f64::from(phase) / f64::from(phases);
    let taps = 2 * half;
    let half = half as f64;
    (1..=taps).map(move |tap| {
        let distance = tap as f64 - half - behind;
        // The window of Blackman.
        let around = PI * distance / half;
        let window = 0.42 + 0.5 * around.cos() + 0.08 * (2.0 * around).cos();
        let angle = PI * cutoff * distance;
        let sinc = if angle.abs() < 1e-9 {
            1.0
        } else {
            angle.sin() / angle
        };
        (cutoff * sinc * window) as f32
    })
}

fn common_divisor(left: u32, right: u32) -> u32 {
    if right == 0 {
        left
    } else {
        common_divisor(right, left % right)
    }
}
