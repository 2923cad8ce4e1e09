//! Passwords, and hashing them with Argon2id (RFC 9106).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;
use wagate_model::{Faults, hide_contents};
use zeroize::Zeroizing;

use crate::config::PasswordCost;
use crate::error::IdentityError;
use crate::randomness::Randomness;

/// Shortest password of an account (NIST SP 800-63B asks for eight at least).
pub(crate) const MIN_CHARS: usize = 10;

/// Longest password: more than any manager makes, and cheap to hash.
pub(crate) const MAX_CHARS: usize = 256;

/// Passwords that may wait for their turn to be hashed.
const MAX_WAITING: usize = 256;

/// A password as a person typed it; shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

hide_contents!(Password);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Password {
    /// What is wrong with it as a new password; `others` are texts that are easily guessed.
    pub fn check(&self, field: &str, others: &[&str], faults: &mut Faults) {
        let count = self.0.chars().count();
        faults.check((MIN_CHARS..=MAX_CHARS).contains(&count), field, || {
            format!("must have {MIN_CHARS} to {MAX_CHARS} characters")
        });
        let first = self.0.chars().next();
        let is_guessed = self.0.chars().all(|c| Some(c) == first)
            || others
                .iter()
                .any(|other| !other.is_empty() && other.eq_ignore_ascii_case(&self.0));
        faults.check(!is_guessed, field, || {
            "is too easily guessed: choose another".into()
        });
    }

    /// The bytes to hash: keyboards write the same letters in different ways.
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.nfc().collect::<String>().into_bytes())
    }

    fn is_too_long(&self) -> bool {
        self.0.chars().count() > MAX_CHARS
    }
}

/// What comparing a password with a hash told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) is_right: bool,
    /// Whether the hash was made at another cost than the one that is set.
    pub(crate) is_outdated: bool,
}

/// Hashes passwords on threads of their own, a few at a time: each takes memory and a core.
pub(crate) struct PasswordHashing {
    argon: Argon2<'static>,
    params: String,
    turns: Semaphore,
    waiting: AtomicUsize,
    /// Compared with where there is no account, so that both take the same time.
    nobodys: OnceLock<String>,
}

impl PasswordHashing {
    pub(crate) fn new(cost: PasswordCost) -> Arc<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .unwrap_or_else(|_| Params::default());
        let described = format!(
            "m={},t={},p={}",
            params.m_cost(),
            params.t_cost(),
            params.p_cost()
        );
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            argon: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            params: described,
            turns: Semaphore::new(cores.min(8)),
            waiting: AtomicUsize::new(0),
            nobodys: OnceLock::new(),
        })
    }

    fn hash_now(&self, password: &[u8], salt: &[u8; 16]) -> Result<String, IdentityError> {
        self.argon
            .hash_password_with_salt(password, salt)
            .map(|hash| hash.to_string())
            .map_err(|error| IdentityError::Internal(format!("hashing failed: {error}")))
    }

    fn verify_now(&self, password: &[u8], hash: &str) -> Verdict {
        Verdict {
            is_right: self.argon.verify_password(password, hash).is_ok(),
            is_outdated: PasswordHash::new(hash)
                .is_ok_and(|parsed| parsed.params.to_string() != self.params),
        }
    }

    /// Does some hashing when it is its turn.
    async fn take_turn<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, IdentityError> {
        let _waiting = Waiting::enter(self).ok_or(IdentityError::Busy)?;
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| IdentityError::Busy)?;
        let hashing = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&hashing))
            .await
            .map_err(|_| IdentityError::Internal("hashing ended early".into()))
    }

    /// The hash of a password, in PHC form.
    pub(crate) async fn hash(
        self: &Arc<Self>,
        password: &Password,
        randomness: &dyn Randomness,
    ) -> Result<String, IdentityError> {
        let mut salt = [0; 16];
        randomness.fill(&mut salt);
        let bytes = password.bytes();
        self.take_turn(move |hashing| hashing.hash_now(&bytes, &salt))
            .await?
    }

    /// Compares a password with a hash; takes as long where there is none.
    pub(crate) async fn verify(
        self: &Arc<Self>,
        password: &Password,
        hash: Option<String>,
    ) -> Result<Verdict, IdentityError> {
        let is_too_long = password.is_too_long();
        let bytes = if is_too_long {
            Zeroizing::default()
        } else {
            password.bytes()
        };
        self.take_turn(move |hashing| {
            if let Some(hash) = hash {
                let verdict = hashing.verify_now(&bytes, &hash);
                return Verdict {
                    is_right: verdict.is_right && !is_too_long,
                    ..verdict
                };
            }
            let nobodys = hashing.nobodys.get_or_init(|| {
                hashing
                    .hash_now(b"nobody's password", &[0; 16])
                    .unwrap_or_default()
            });
            hashing.verify_now(&bytes, nobodys);
            Verdict {
                is_right: false,
                is_outdated: false,
            }
        })
        .await
    }
}

/// A place among those who wait.
struct Waiting<'h>(&'h PasswordHashing);

impl<'h> Waiting<'h> {
    fn enter(hashing: &'h PasswordHashing) -> Option<Self> {
        let entered = Self(hashing);
        let before = hashing.waiting.fetch_add(1, Ordering::SeqCst);
        (before < MAX_WAITING).then_some(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomness::SystemRandomness;

    const CHEAP: PasswordCost = PasswordCost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    fn password(text: &str) -> Password {
        text.to_owned().into()
    }

    fn fields(text: &str, others: &[&str]) -> usize {
        let mut faults = Faults::new();
        password(text).check("password", others, &mut faults);
        faults.into_vec().len()
    }

    #[test]
    fn new_passwords_are_long_and_not_obvious() {
        assert_eq!(fields("correct horse", &[]), 0);
        assert_eq!(fields("пароль-と-🔑-mixed", &[]), 0);
        assert_eq!(fields("short", &[]), 1);
        assert_eq!(fields("", &[]), 2);
        assert_eq!(fields("aaaaaaaaaaaa", &[]), 1);
        assert_eq!(fields("ANN@example.com", &["ann@example.com"]), 1);
        assert_eq!(fields(&"x y".repeat(100), &[]), 1);
    }

    #[tokio::test]
    async fn a_password_is_recognized_however_it_was_typed() {
        let hashing = PasswordHashing::new(CHEAP);
        let hash = hashing
            .hash(&password("Cafe\u{301} au lait"), &SystemRandomness)
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        let verdict = async |text: &str, hash: Option<&String>| {
            hashing
                .verify(&password(text), hash.cloned())
                .await
                .unwrap()
        };
        let right = Verdict {
            is_right: true,
            is_outdated: false,
        };
        assert_eq!(verdict("Caf\u{e9} au lait", Some(&hash)).await, right);
        assert!(!verdict("Cafe au lait", Some(&hash)).await.is_right);
        assert!(!verdict("Caf\u{e9} au lait", None).await.is_right);
        assert!(!verdict("nobody's password", None).await.is_right);
        assert!(!verdict(&"a".repeat(10_000), Some(&hash)).await.is_right);
        assert!(!format!("{:?}", password("secret")).contains("secret"));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_still_works_and_is_told() {
        let cheap = PasswordHashing::new(CHEAP);
        let word = password("correct horse");
        let hash = cheap.hash(&word, &SystemRandomness).await.unwrap();
        let dearer = PasswordHashing::new(PasswordCost { passes: 2, ..CHEAP });
        let verdict = dearer.verify(&word, Some(hash)).await.unwrap();
        assert!(verdict.is_right && verdict.is_outdated);
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_again() {
        let hashing = PasswordHashing::new(CHEAP);
        let all = u32::try_from(hashing.turns.available_permits()).unwrap();
        let turns = hashing.turns.acquire_many(all).await.unwrap();
        let word = password("correct horse");
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING {
            let mut turn = Box::pin(hashing.verify(&word, None));
            assert!(futures::poll!(&mut turn).is_pending());
            waiting.push(turn);
        }
        let refused = hashing.verify(&word, None).await;
        assert!(matches!(refused, Err(IdentityError::Busy)));
        drop(turns);
        for turn in waiting {
            turn.await.unwrap();
        }
        assert!(hashing.verify(&word, None).await.is_ok());
    }
}
