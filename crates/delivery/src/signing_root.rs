//! Keeping the signing root: sealed, among the settings of the installation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use wagate_store::{Lane, Store, StoreError, Tx};
use zeroize::Zeroizing;

use crate::signing::SigningRoot;

const SETTING: &str = "webhook_signing_root";
const TABLE: &str = "setting";

impl SigningRoot {
    /// Reads the installation's root, or keeps a new one of 32 bytes that the caller drew.
    ///
    /// It is sealed anew each time, so that it follows a change of the master key by a start.
    pub async fn load_or_create(store: &Store, drawn: [u8; 32]) -> Result<Self, StoreError> {
        let drawn = Zeroizing::new(drawn);
        let now_ms = store.now_ms();
        store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let root = read(tx).await?.unwrap_or(drawn);
                    let sealed = STANDARD.encode(tx.seal(TABLE, SETTING.as_bytes(), &*root));
                    tx.admin().put_setting(SETTING, &sealed, now_ms).await
                }
                .boxed()
            })
            .await?;
        // What was committed counts: another process may have been faster.
        let root = read(&mut store.read().await?).await?;
        root.map(|root| Self::from_bytes(*root)).ok_or_else(corrupt)
    }
}

async fn read(tx: &mut Tx) -> Result<Option<Zeroizing<[u8; 32]>>, StoreError> {
    let Some(sealed) = tx.admin().setting::<String>(SETTING).await? else {
        return Ok(None);
    };
    let sealed = STANDARD.decode(sealed).map_err(|_| corrupt())?;
    let plain = Zeroizing::new(tx.unseal(TABLE, SETTING.as_bytes(), &sealed)?);
    let root: [u8; 32] = plain.as_slice().try_into().map_err(|_| corrupt())?;
    Ok(Some(Zeroizing::new(root)))
}

fn corrupt() -> StoreError {
    StoreError::Corrupt(SETTING.to_owned())
}
