//! How loud a voice note is, from beginning to end.

use crate::WAVEFORM_POINTS;

/// Samples that are taken together: 5 ms of 48 kHz.
const BLOCK: usize = 240;

/// Takes samples and gives a waveform.
#[derive(Default)]
pub(crate) struct Loudness {
    /// Of each block.
    blocks: Vec<f32>,
    /// Of the block that is not full yet.
    sum: f32,
    count: usize,
    /// Samples that were taken.
    taken: u64,
}

impl Loudness {
    /// Takes samples of 48 kHz.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.taken += samples.len() as u64;
        for sample in samples {
            self.sum += sample.abs();
            self.count += 1;
            if self.count == BLOCK {
                self.blocks.push(self.sum);
                (self.sum, self.count) = (0.0, 0);
            }
        }
    }

    /// How many samples there were.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    /// The loudness of each part of equal length, as hundredths of the loudest part's.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a hundred fits, and is not negative"
    )]
    pub(crate) fn waveform(mut self) -> [u8; WAVEFORM_POINTS] {
        if self.blocks.is_empty() || self.count > BLOCK / 2 {
            self.blocks.push(self.sum);
        }
        let blocks = self.blocks.len();
        let means: [f32; WAVEFORM_POINTS] = std::array::from_fn(|point| {
            let start = point * blocks / WAVEFORM_POINTS;
            let end = ((point + 1) * blocks / WAVEFORM_POINTS).max(start + 1);
            let part = &self.blocks[start..end];
            part.iter().sum::<f32>() / part.len() as f32
        });
        let loudest = means.iter().copied().fold(0.0, f32::max);
        means.map(|mean| {
            if loudest > 0.0 && loudest.is_finite() {
                (mean / loudest * 100.0).round() as u8
            } else {
                0
            }
        })
    }
}
