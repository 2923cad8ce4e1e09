//! Who may: permissions and resources as types that only a successful check hands over.
//!
//! Extractors run in the order of a handler's arguments, so a handler that takes
//! [`InSession`] and then a body is checked in the order of the contract: credential,
//! capability, resource, body.

use std::marker::PhantomData;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use http::header;
use http::request::Parts;
use wagate_core::{
    BucketAccess, Caller, Error, MediaAccess, OrganizationAccess, SessionAccess, UserAccess,
    WebhookAccess,
};
use wagate_model::{Capability, Role};

use self::parts::{Chat, Part as _, Session};
use crate::auth::cookies;
use crate::failure::{Answer, Failure};
use crate::state::ApiState;

/// What a caller has to be or to have, as a type.
///
/// The document names it for each operation in `x-capability`.
pub(crate) trait Permission: std::marker::Send + Sync {
    /// `Ok` where the caller may.
    fn check(caller: &Caller) -> Result<(), Error>;
}

macro_rules! permissions {
    ($($name:ident),*) => {
        $(
            #[doc = concat!("The capability `", stringify!($name), "`.")]
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Permission for $name {
                fn check(caller: &Caller) -> Result<(), Error> {
                    caller.require(Capability::$name)
                }
            }
        )*
    };
}

permissions!(Read, Send, Manage, Events);

/// The capability `send` or `read`: `send` in the document, and `read` in the description.
#[derive(Debug)]
pub(crate) struct SendOrRead;

impl Permission for SendOrRead {
    fn check(caller: &Caller) -> Result<(), Error> {
        Send::check(caller).or_else(|_| Read::check(caller))
    }
}

/// The operator, signed in: `super_admin` in the document.
#[derive(Debug)]
pub(crate) struct SuperAdmin;

impl Permission for SuperAdmin {
    fn check(caller: &Caller) -> Result<(), Error> {
        caller.require_super_admin()
    }
}

/// A person who administers the active organization: `admin` in the document. No API key does.
#[derive(Debug)]
pub(crate) struct Admin;

impl Permission for Admin {
    fn check(caller: &Caller) -> Result<(), Error> {
        caller.require_admin()
    }
}

/// A caller who has a capability.
#[derive(Debug)]
pub(crate) struct Can<P> {
    pub(crate) caller: Caller,
    permission: PhantomData<P>,
}

/// Whether a request brings a token or a key.
pub(crate) fn has_token(parts: &Parts) -> bool {
    credential(parts).is_ok()
}

/// Who calls, by the request's token or key.
pub(crate) async fn caller_by_token(parts: &mut Parts, state: &ApiState) -> Answer<Caller> {
    let caller = state.core().authenticate(credential(parts)?).await?;
    // Whoever bounds what the request may take has to know whose it is.
    if let Some(organization) = caller.active_organization() {
        parts.extensions.insert(organization);
    }
    Ok(caller)
}

impl<P: Permission> FromRequestParts<ApiState> for Can<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let caller = caller_by_token(parts, state).await?;
        P::check(&caller)?;
        Ok(Self {
            caller,
            permission: PhantomData,
        })
    }
}

/// The credential of a request: a bearer token, else the API key's own header.
///
/// Another scheme's `Authorization` may be meant for somebody else, such as a proxy.
fn credential(parts: &Parts) -> Answer<&str> {
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| {
        let text = value.to_str().ok()?.trim();
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let own_header = || Some(parts.headers.get("x-api-key")?.to_str().ok()?.trim());
    bearer
        .or_else(own_header)
        .ok_or(Failure::Core(Error::Unauthorized))
}

/// A parameter of the path, decoded; nothing where it is not UTF-8.
pub(crate) async fn parameter(parts: &mut Parts, state: &ApiState, name: &str) -> String {
    let Ok(params) = RawPathParams::from_request_parts(parts, state).await else {
        // One of them is not UTF-8: the others are what they are.
        return readable_parameter(parts, name).unwrap_or_default();
    };
    let mut params = params.iter();
    let found = params.find(|(key, _)| *key == name);
    found.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// A parameter of a path in which another one cannot be read.
fn readable_parameter(parts: &Parts, name: &str) -> Option<String> {
    let route = parts.extensions.get::<MatchedPath>()?.as_str();
    let mut pairs = route.split('/').zip(parts.uri.path().split('/'));
    let (_, raw) = pairs.find(|(part, _)| {
        let bare = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        bare == Some(name)
    })?;
    let decoded = percent_encoding::percent_decode_str(raw).decode_utf8();
    decoded.ok().map(std::borrow::Cow::into_owned)
}

/// A session that the caller reaches, with a capability.
#[derive(Debug)]
pub(crate) struct InSession<P> {
    pub(crate) access: SessionAccess,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<ApiState> for InSession<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let caller = Can::<P>::from_request_parts(parts, state).await?.caller;
        let id = parameter(parts, state, Session::NAME).await;
        Ok(Self {
            access: state.core().open_session(&caller, &id).await?,
            permission: PhantomData,
        })
    }
}

/// The name of a chat within a session that the caller reaches, with a capability.
#[derive(Debug)]
pub(crate) struct InChat<P> {
    pub(crate) access: SessionAccess,
    pub(crate) chat: String,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<ApiState> for InChat<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let session = InSession::<P>::from_request_parts(parts, state).await?;
        Ok(Self {
            access: session.access,
            chat: parameter(parts, state, Chat::NAME).await,
            permission: PhantomData,
        })
    }
}

/// A webhook that the caller reaches, with a capability.
#[derive(Debug)]
pub(crate) struct InWebhook<P> {
    pub(crate) access: WebhookAccess,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<ApiState> for InWebhook<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let caller = Can::<P>::from_request_parts(parts, state).await?.caller;
        let id = parameter(parts, state, "id").await;
        Ok(Self {
            access: state.core().open_webhook(&caller, &id).await?,
            permission: PhantomData,
        })
    }
}

/// A message's file that the caller reaches, with a capability.
#[derive(Debug)]
pub(crate) struct OfMedia<P> {
    pub(crate) access: MediaAccess,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<ApiState> for OfMedia<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let caller = Can::<P>::from_request_parts(parts, state).await?.caller;
        let id = parameter(parts, state, "media").await;
        Ok(Self {
            access: state.core().open_media(&caller, &id).await?,
            permission: PhantomData,
        })
    }
}

/// A bucket that the caller reaches, with a capability.
#[derive(Debug)]
pub(crate) struct OfBucket<P> {
    pub(crate) access: BucketAccess,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<ApiState> for OfBucket<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let caller = Can::<P>::from_request_parts(parts, state).await?.caller;
        let id = parameter(parts, state, "bucket").await;
        Ok(Self {
            access: state.core().open_bucket(&caller, &id).await?,
            permission: PhantomData,
        })
    }
}

/// The name of a delivery of a webhook that the caller reaches, with a capability.
#[derive(Debug)]
pub(crate) struct InDelivery<P> {
    pub(crate) access: WebhookAccess,
    pub(crate) delivery: String,
    permission: PhantomData<P>,
}

impl<P: Permission> FromRequestParts<ApiState> for InDelivery<P> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let webhook = InWebhook::<P>::from_request_parts(parts, state).await?;
        Ok(Self {
            access: webhook.access,
            delivery: parameter(parts, state, "deliveryId").await,
            permission: PhantomData,
        })
    }
}

/// What a person has to be in an organization, as a type.
pub(crate) trait Standing: std::marker::Send + Sync {
    /// The weakest role that is enough.
    const ROLE: Role;
}

macro_rules! standings {
    ($($name:ident = $role:ident),*) => {
        $(
            #[doc = concat!("At least: `", stringify!($role), "`.")]
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Standing for $name {
                const ROLE: Role = Role::$role;
            }
        )*
    };
}

standings!(AsMember = Member, AsAdmin = Admin, AsOwner = Owner);

/// An organization that a person reaches, signed in by browser or token, as something.
#[derive(Debug)]
pub(crate) struct InOrganization<S> {
    pub(crate) access: OrganizationAccess,
    standing: PhantomData<S>,
}

impl<S: Standing> FromRequestParts<ApiState> for InOrganization<S> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let caller = cookies::caller(parts, state).await?;
        let id = parameter(parts, state, "organization").await;
        let access = state.core().open_organization(&caller, &id).await?;
        access.require(S::ROLE)?;
        Ok(Self {
            access,
            standing: PhantomData,
        })
    }
}

/// A user, for the operator.
#[derive(Debug)]
pub(crate) struct InUser {
    pub(crate) access: UserAccess,
}

impl FromRequestParts<ApiState> for InUser {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let caller = Can::<SuperAdmin>::from_request_parts(parts, state)
            .await?
            .caller;
        let id = parameter(parts, state, "user").await;
        Ok(Self {
            access: state.core().open_user(&caller, &id).await?,
        })
    }
}

/// A part of the path that names something within what the caller reaches.
#[derive(Debug)]
pub(crate) struct Named<N>(pub(crate) String, PhantomData<N>);

/// Such parts, as types: how routes name them, and what the document says of them.
pub(crate) mod parts {
    use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
    use utoipa::openapi::{Object, Required, Type};

    /// A part of the path.
    pub(crate) trait Part: Send + Sync {
        /// Its name, as the route writes it.
        const NAME: &'static str;
        /// What it is, for the document.
        const TEXT: &'static str;
    }

    macro_rules! parts {
        ($($name:ident = $part:literal: $text:literal),* $(,)?) => {
            $(
                #[doc = concat!("`{", $part, "}`: ", $text)]
                #[derive(Debug)]
                pub(crate) struct $name;

                impl Part for $name {
                    const NAME: &'static str = $part;
                    const TEXT: &'static str = $text;
                }

                impl utoipa::IntoParams for $name {
                    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                        vec![described::<Self>()]
                    }
                }
            )*
        };
    }

    /// A part as the document has it.
    fn described<P: Part>() -> Parameter {
        ParameterBuilder::new()
            .name(P::NAME)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(P::TEXT))
            .schema(Some(Object::with_type(Type::String)))
            .build()
    }

    parts!(
        Address = "jid": "The person's JID, or a phone number in digits.",
        Call = "callId": "The call's id.",
        Channel = "jid": "The channel's JID.",
        Chat = "cid": "The chat's JID, or a phone number in digits.",
        Community = "gid": "The community's JID.",
        Group = "gid": "The group's JID.",
        Invitation = "invitation": "The invitation's id.",
        Key = "key": "The key's id.",
        Label = "label": "The label's id.",
        Lid = "lid": "The person's LID, or JID or number by phone.",
        Login = "login": "The login's id.",
        Message = "mid": "The message's WhatsApp id.",
        Outbox = "outboxId": "The message's `id` in the list.",
        Session = "session": "The session's id.",
        User = "user": "The user's id.",
    );
}

impl<N: parts::Part> FromRequestParts<ApiState> for Named<N> {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &ApiState,
    ) -> Result<Self, std::convert::Infallible> {
        Ok(Self(parameter(parts, state, N::NAME).await, PhantomData))
    }
}
