//! What is scanned and typed to link a companion, and what the companion answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use wacore_libsignal::protocol::IdentityKeyPair;

use crate::phone::link::{CompanionFinish, PendingCode, QrCode, normalize};

/// A QR code that is taken says the same when it is written anew.
pub fn qr_code(text: &str) {
    let Ok(code) = QrCode::parse(text) else {
        return;
    };
    assert!(!code.pairing_ref.is_empty() && !code.pairing_ref.contains(','));
    let [noise, identity, secret] =
        [[1; 32], code.identity, code.adv_secret].map(|key| STANDARD.encode(key));
    let written = format!("{},{noise},{identity},{secret}", code.pairing_ref);
    assert!(text.contains(&identity) && text.contains(&secret));
    assert_eq!(QrCode::parse(&written).ok().as_ref(), Some(&code));
    assert_eq!(QrCode::parse(&format!(" {written},1\n")).ok(), Some(code));
}

/// A typed code has one form, whichever way it was typed.
pub fn link_code(text: &str) {
    let Ok(code) = normalize(text) else {
        return;
    };
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(normalize(&code).ok().as_ref(), Some(&code));
    let shown = format!("{}-{}", &code[..4], code[4..].to_ascii_lowercase());
    assert_eq!(normalize(&shown).ok(), Some(code));
}

/// No bundle opens that was not sealed with the code.
pub fn key_bundle(wrapped: &[u8]) {
    let account = IdentityKeyPair::generate(&mut StdRng::seed_from_u64(1));
    let pending = PendingCode::agreed([7; 32]);
    let finish = CompanionFinish {
        wrapped_bundle: wrapped.to_vec(),
        identity: [9; 32],
    };
    assert!(pending.finish(&finish, &account).is_err());
}
