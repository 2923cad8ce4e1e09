//! The hash over a list of devices by which client and server notice that they disagree.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use wacore_binary::Jid;

/// `2:` and the first six bytes of the SHA-256 over the sorted devices
/// (wacore `MessageUtils::participant_list_hash`).
pub(crate) fn phash(devices: &[Jid]) -> String {
    let mut forms: Vec<String> = devices.iter().map(Jid::to_phash_form_string).collect();
    forms.sort_unstable();
    let mut hasher = Sha256::new();
    for form in &forms {
        hasher.update(form);
    }
    let digest = hasher.finalize();
    format!("2:{}", STANDARD_NO_PAD.encode(&digest[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_clients() {
        let devices = [Jid::pn_device("2", 0), Jid::pn_device("1", 7)];
        let theirs = wacore::messages::MessageUtils::participant_list_hash(devices.iter()).unwrap();
        assert_eq!(phash(&devices), theirs);
    }
}
