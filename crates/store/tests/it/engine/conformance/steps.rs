//! The calls.

use proptest::prelude::*;

/// A call; small numbers choose among few keys, so that calls meet each other.
#[derive(Debug, Clone)]
pub(super) enum Step {
    PutIdentities(Vec<(u8, u8)>),
    DeleteIdentity(u8),
    PutSessions(Vec<(u8, Vec<u8>)>),
    DeleteSession(u8),
    StorePreKeys(Vec<(u8, u8)>, bool),
    MarkUploaded(Vec<u8>),
    RemovePreKey(u8),
    StoreSignedPreKey(u8, u8),
    RemoveSignedPreKey(u8),
    PutSenderKeys(Vec<(u8, u8)>),
    DeleteSenderKey(u8),
    SetSyncKey(u8, u8),
    SetVersion(u8, u64),
    PutMacs(u8, Vec<(u8, u8)>),
    DeleteMacs(u8, Vec<u8>),
    ClearMacs(u8),
    SetKeyStatus(u8, Vec<(u8, bool)>),
    ClearKeyDevices(u8),
    ForgetDevices(Vec<u8>),
    ClearAllKeyDevices,
    PutMappings(Vec<(u8, bool)>),
    SaveBaseKey(u8, u8),
    DeleteBaseKey(u8),
    UpdateDeviceLists(Vec<(u8, i64)>),
    DeleteDevices(u8),
    PutGroup(u8, u8),
    DeleteGroup(u8),
    PutToken(u8, Vec<u8>, i64, Option<i64>),
    TouchToken(u8, i64),
    ReceiveToken(u8, Vec<u8>, i64),
    DeleteToken(u8),
    ExpireTokens(i64, i64),
    StoreSent(u8, u8),
    TakeSent(u8),
    ExpireSent(bool),
    StorePending(Vec<(u8, u8)>),
    DeletePending(Vec<u8>),
    ExpirePending(bool),
    PutSecrets(Vec<(u8, u8, i64, i64)>),
    ExpireSecrets(i64),
    SaveDevice(bool),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let key = || 0..4_u8;
    let byte = any::<u8>;
    let pairs = move || proptest::collection::vec((0..4_u8, any::<u8>()), 0..6);
    let keys = move || proptest::collection::vec(0..4_u8, 0..4);
    let bytes = || proptest::collection::vec(any::<u8>(), 0..3);
    let time = || 0..6_i64;
    let signal = prop_oneof![
        pairs().prop_map(Step::PutIdentities),
        key().prop_map(Step::DeleteIdentity),
        proptest::collection::vec((key(), bytes()), 0..6).prop_map(Step::PutSessions),
        key().prop_map(Step::DeleteSession),
        (pairs(), any::<bool>()).prop_map(|(keys, uploaded)| Step::StorePreKeys(keys, uploaded)),
        keys().prop_map(Step::MarkUploaded),
        key().prop_map(Step::RemovePreKey),
        (key(), byte()).prop_map(|(id, record)| Step::StoreSignedPreKey(id, record)),
        key().prop_map(Step::RemoveSignedPreKey),
        pairs().prop_map(Step::PutSenderKeys),
        key().prop_map(Step::DeleteSenderKey),
    ];
    let app_state = prop_oneof![
        (key(), byte()).prop_map(|(id, data)| Step::SetSyncKey(id, data)),
        (key(), any::<u64>()).prop_map(|(name, version)| Step::SetVersion(name, version)),
        (key(), pairs()).prop_map(|(name, macs)| Step::PutMacs(name, macs)),
        (key(), keys()).prop_map(|(name, macs)| Step::DeleteMacs(name, macs)),
        key().prop_map(Step::ClearMacs),
    ];
    let devices = prop_oneof![
        (
            key(),
            proptest::collection::vec((key(), any::<bool>()), 0..5)
        )
            .prop_map(|(group, entries)| Step::SetKeyStatus(group, entries)),
        key().prop_map(Step::ClearKeyDevices),
        keys().prop_map(Step::ForgetDevices),
        Just(Step::ClearAllKeyDevices),
        proptest::collection::vec((key(), any::<bool>()), 0..5).prop_map(Step::PutMappings),
        (key(), byte()).prop_map(|(id, base)| Step::SaveBaseKey(id, base)),
        key().prop_map(Step::DeleteBaseKey),
        proptest::collection::vec((key(), any::<i64>()), 0..5).prop_map(Step::UpdateDeviceLists),
        key().prop_map(Step::DeleteDevices),
        (key(), byte()).prop_map(|(group, blob)| Step::PutGroup(group, blob)),
        key().prop_map(Step::DeleteGroup),
        any::<bool>().prop_map(Step::SaveDevice),
    ];
    let tokens = prop_oneof![
        (key(), bytes(), time(), proptest::option::of(time()))
            .prop_map(|(jid, token, at, sender)| Step::PutToken(jid, token, at, sender)),
        (key(), time()).prop_map(|(jid, at)| Step::TouchToken(jid, at)),
        (key(), bytes(), time()).prop_map(|(jid, token, at)| Step::ReceiveToken(jid, token, at)),
        key().prop_map(Step::DeleteToken),
        (time(), time()).prop_map(|(token, sender)| Step::ExpireTokens(token, sender)),
    ];
    let messages = prop_oneof![
        (key(), byte()).prop_map(|(id, payload)| Step::StoreSent(id, payload)),
        key().prop_map(Step::TakeSent),
        any::<bool>().prop_map(Step::ExpireSent),
        pairs().prop_map(Step::StorePending),
        keys().prop_map(Step::DeletePending),
        any::<bool>().prop_map(Step::ExpirePending),
        proptest::collection::vec((key(), byte(), time(), time()), 0..5).prop_map(Step::PutSecrets),
        (1..6_i64).prop_map(Step::ExpireSecrets),
    ];
    prop_oneof![3 => signal, 1 => app_state, 3 => devices, 2 => tokens, 3 => messages]
}
