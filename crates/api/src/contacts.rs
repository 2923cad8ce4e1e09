//! Routes of contacts.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{ContactQuery, Core, Page};
use wagate_model::{
    Blocklist, CheckContactsInput, ContactAbout, ContactDetail, ListContact, ListOnWhatsApp,
    OnWhatsApp, ProfilePicture, SaveContactInput,
};

use crate::access::{InSession, Named, Read, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_contacts),
        routes!(check_contact),
        routes!(check_contacts),
        routes!(get_blocklist),
        routes!(save_contact),
        routes!(get_contact),
        routes!(get_contact_about),
        routes!(get_contact_picture),
        routes!(block_contact),
        routes!(unblock_contact),
        routes!(mute_contact_status),
        routes!(unmute_contact_status),
    ]
}

impl RequestBody for CheckContactsInput {}

impl RequestBody for SaveContactInput {}

impl FromQuery for ContactQuery {
    fn from_params(params: &mut Params) -> Self {
        Self {
            source: params.text("source"),
            group: params.text("group"),
            text: params.text("q"),
            page: Page::from_params(params),
        }
    }
}

/// The number that is asked about.
struct Phone(Option<String>);

impl FromQuery for Phone {
    fn from_params(params: &mut Params) -> Self {
        Self(params.text("phone"))
    }
}

/// List contacts
///
/// The people that the session has seen, each once, whether by phone number or by LID. From
/// stored data: works while the session is offline.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/contacts", operation_id = "listContacts",
    tag = "Contacts",
    params(
        parts::Session,
        ("source" = Option<wagate_model::ContactSource>, Query,
            description = "Only people with a chat of their own, or only those seen in groups."),
        ("group" = Option<String>, Query, description = "Only members of this group, by its JID."),
        ("q" = Option<String>, Query, max_length = 256,
            description = "Only people with this in a name or in the number, in any case."),
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The people.", body = ListContact, example = json!({
        "data": [{
            "lid": "205227043110953@lid", "name": "Ada", "phoneNumber": "15557654321",
            "source": "dm"
        }]
    }))),
)]
async fn list_contacts(
    State(core): State<Core>,
    session: InSession<Read>,
    Query(query): Query<ContactQuery>,
) -> Answer<Reply<ListContact>> {
    Ok(Reply(core.list_contacts(&session.access, query).await?))
}

/// Check whether a number is on WhatsApp
///
/// Asks WhatsApp now. Nobody is told.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/contacts/check", operation_id = "checkContact",
    tag = "Contacts",
    params(
        parts::Session,
        ("phone" = Option<String>, Query, max_length = 64,
            description = "The number with its country code, in digits."),
    ),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "Whether it is.", body = OnWhatsApp, example = json!({
        "query": "15557654321", "isOnWhatsApp": true, "jid": "15557654321@s.whatsapp.net"
    }))),
)]
async fn check_contact(
    State(core): State<Core>,
    session: InSession<Read>,
    Query(phone): Query<Phone>,
) -> Answer<Reply<OnWhatsApp>> {
    let phone = phone.map(|phone| phone.0);
    Ok(Reply(core.check_contact(&session.access, phone).await?))
}

/// Read a contact
///
/// All that is stored on one person: names and addresses, whether there is a chat, and every
/// shared group.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/contacts/{lid}", operation_id = "getContact",
    tag = "Contacts",
    params(parts::Session, parts::Lid),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The person.", body = ContactDetail, example = json!({
        "dm": true,
        "groups": [{
            "jid": "120363025246125486@g.us", "name": "Harbour", "role": "member",
            "lastSeen": 1_767_225_700_000_i64
        }],
        "identity": {
            "id": 7, "lid": "205227043110953@lid", "name": "Ada",
            "phoneJid": "15557654321@s.whatsapp.net", "phoneNumber": "15557654321",
            "firstSeenAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_700_000_i64
        }
    }))),
)]
async fn get_contact(
    State(core): State<Core>,
    session: InSession<Read>,
    person: Named<parts::Lid>,
) -> Answer<Reply<ContactDetail>> {
    Ok(Reply(core.get_contact(&session.access, &person.0).await?))
}

/// Read the text below a person's name
///
/// Asks WhatsApp now; empty where there is none, or it is hidden.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/contacts/{jid}/about",
    operation_id = "getContactAbout", tag = "Contacts",
    params(parts::Session, parts::Address),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The text.", body = ContactAbout,
        example = json!({ "about": "At the harbour" }))),
)]
async fn get_contact_about(
    State(core): State<Core>,
    session: InSession<Read>,
    person: Named<parts::Address>,
) -> Answer<Reply<ContactAbout>> {
    let about = core.get_contact_about(&session.access, &person.0).await?;
    Ok(Reply(about))
}

/// Read a profile picture
///
/// Asks WhatsApp now. The URL is on WhatsApp's servers and good for a short time.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/contacts/{jid}/picture",
    operation_id = "getContactPicture", tag = "Contacts",
    params(
        parts::Session,
        ("jid" = String, Path,
            description = "The JID of a person or group, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The picture.", body = ProfilePicture,
        example = json!({ "id": "1697026212", "url": "https://pps.whatsapp.net/v/t61.24694-24/1" }))),
)]
async fn get_contact_picture(
    State(core): State<Core>,
    session: InSession<Read>,
    of: Named<parts::Address>,
) -> Answer<Reply<ProfilePicture>> {
    Ok(Reply(
        core.get_contact_picture(&session.access, &of.0).await?,
    ))
}

/// Block a contact
///
/// Nothing that the person sends comes in from then on. Can be repeated.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/contacts/{jid}/block",
    operation_id = "blockContact", tag = "Contacts",
    params(parts::Session, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn block_contact(
    State(core): State<Core>,
    session: InSession<Send>,
    person: Named<parts::Address>,
) -> Answer<StatusCode> {
    core.block_contact(&session.access, &person.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unblock a contact
///
/// What the person sent meanwhile does not come in later. Can be repeated.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/contacts/{jid}/unblock",
    operation_id = "unblockContact", tag = "Contacts",
    params(parts::Session, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn unblock_contact(
    State(core): State<Core>,
    session: InSession<Send>,
    person: Named<parts::Address>,
) -> Answer<StatusCode> {
    core.unblock_contact(&session.access, &person.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mute a contact's stories
///
/// Beyond the contract. For the account on all its devices; they come in as before. Can be
/// repeated.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/contacts/{jid}/mute-status",
    operation_id = "muteContactStatus", tag = "Contacts",
    params(parts::Session, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn mute_contact_status(
    State(core): State<Core>,
    session: InSession<Send>,
    person: Named<parts::Address>,
) -> Answer<StatusCode> {
    core.mute_contact_status(&session.access, &person.0, true)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unmute a contact's stories
///
/// Beyond the contract. Can be repeated.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/contacts/{jid}/unmute-status",
    operation_id = "unmuteContactStatus", tag = "Contacts",
    params(parts::Session, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn unmute_contact_status(
    State(core): State<Core>,
    session: InSession<Send>,
    person: Named<parts::Address>,
) -> Answer<StatusCode> {
    core.mute_contact_status(&session.access, &person.0, false)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Check several numbers
///
/// Whether each is on WhatsApp; nobody is told. Up to 50 at a time.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/contacts:check", operation_id = "checkContacts",
    tag = "Contacts",
    params(parts::Session),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    request_body(content = CheckContactsInput, example = json!({
        "phones": ["15557654321", "+15550001234"]
    })),
    responses((status = 200, description = "For each number, in the order of the question.",
        body = ListOnWhatsApp, example = json!({ "data": [
            { "query": "15557654321", "isOnWhatsApp": true, "jid": "15557654321@s.whatsapp.net" },
            { "query": "+15550001234", "isOnWhatsApp": false }
        ] }))),
)]
async fn check_contacts(
    State(core): State<Core>,
    session: InSession<Read>,
    body: Json<CheckContactsInput>,
) -> Answer<Reply<ListOnWhatsApp>> {
    Ok(Reply(
        core.check_contacts(&session.access, body.draft).await?,
    ))
}

/// List blocked contacts
///
/// Whom the account has blocked, on any of its devices.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/blocklist", operation_id = "getBlocklist",
    tag = "Contacts",
    params(parts::Session),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The people's JIDs.", body = Blocklist,
        example = json!({ "data": ["98765432109876@lid"] }))),
)]
async fn get_blocklist(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<Blocklist>> {
    Ok(Reply(core.get_blocklist(&session.access).await?))
}

/// Save a contact
///
/// Under a name that all devices of the account show; the phone's own address book stays as it
/// is. A person whose phone number is not known cannot be saved.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/contacts/{jid}/name", operation_id = "saveContact",
    tag = "Contacts",
    params(parts::Session, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = SaveContactInput, example = json!({ "fullName": "Ann Lee" })),
    responses((status = 204, description = "Done.")),
)]
async fn save_contact(
    State(core): State<Core>,
    session: InSession<Send>,
    person: Named<parts::Address>,
    body: Json<SaveContactInput>,
) -> Answer<StatusCode> {
    core.save_contact(&session.access, &person.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
