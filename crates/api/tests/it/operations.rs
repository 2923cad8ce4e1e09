//! The operations of the document: who may, and how they are asked.
//!
//! The tests that are generated from them cover every operation, and stop at one that they do
//! not understand: a new value of `x-capability` needs a line in [`Need::of`], a new parameter
//! of paths one in [`PARAMETERS`], an operation for everybody one in [`PUBLIC`].

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use wagate_model::{Capabilities, Capability, Role};

use crate::harness::{Reply, Service};
use crate::world::{
    Headers, ON_WHATSAPP, PARAMETERS, Parameter, Place, Somebody, World, bearer, cookie,
};

/// Operations that anybody may ask, and why.
const PUBLIC: &[(&str, &str)] = &[
    ("beginProviderLogin", "nobody has a credential before"),
    (
        "finishProviderLogin",
        "the provider's code is the credential",
    ),
    (
        "getLoginTokenKeys",
        "whoever checks tokens elsewhere needs it; public keys only",
    ),
    ("acceptInvitation", "the link's secret is the credential"),
    ("confirmEmail", "the link's secret is the credential"),
    ("getLoginOptions", "the page that signs people in needs it"),
    ("logIn", "the password is the credential"),
    (
        "getMediaContent",
        "the link's token is the credential, or one that is asked for in its place",
    ),
    ("openRealtime", "the ticket is the credential"),
    ("previewInvitation", "the link's secret is the credential"),
    (
        "requestPasswordReset",
        "whoever forgot the password has none",
    ),
    ("resetPassword", "the link's secret is the credential"),
    ("signUp", "nobody has a credential before"),
];

/// Operations for which `read` is enough, beside what the document names.
const READ_IS_ENOUGH: &[&str] = &["listChannelMessages"];

/// What a caller has to be or to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// A capability, of a key or of a person's role.
    Capability(Capability),
    /// A browser that is signed in.
    Login,
    /// A role in the organization.
    Role(Role),
    /// The operator's token.
    SuperAdmin,
}

impl Need {
    fn of(id: &str, operation: &Value) -> Self {
        let is_listed = PUBLIC.iter().any(|(public, _)| *public == id);
        let Some(name) = operation["x-capability"].as_str() else {
            let is_open = operation["security"].as_array().is_some_and(|ways| {
                let mut ways = ways.iter().filter_map(Value::as_object);
                ways.any(serde_json::Map::is_empty)
            });
            assert!(
                is_open && is_listed,
                "{id} names nobody who may: give it `x-capability`, or make it public by \
                 `security(())` and a line in PUBLIC with the reason"
            );
            return Self::Nothing;
        };
        assert!(!is_listed, "{id} is not for everybody: take it off PUBLIC");
        if let Ok(capability) = name.parse() {
            return Self::Capability(capability);
        }
        match name {
            "login" => Self::Login,
            "super_admin" => Self::SuperAdmin,
            _ => {
                let role = name.parse().ok();
                Self::Role(role.unwrap_or_else(|| {
                    panic!("{id}: no test knows `{name}`: add it to Need and its callers")
                }))
            }
        }
    }
}

/// An operation of the document.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) need: Need,
    /// Whether it asks WhatsApp.
    pub(crate) is_live: bool,
    /// Whether a browser's cookie is a credential there.
    pub(crate) takes_cookie: bool,
    /// The names of parameters of the query.
    pub(crate) query: Vec<String>,
    /// The schema of the body, where one is taken.
    pub(crate) body: Option<String>,
}

/// The document.
pub(crate) fn document() -> Value {
    serde_json::to_value(wagate_api::openapi()).unwrap()
}

/// The operations of the document.
pub(crate) fn operations() -> Vec<Operation> {
    let document = document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let ways = operation["security"].as_array();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let of_query = parameters.filter(|parameter| parameter["in"] == "query");
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let body = body.as_str().and_then(|name| name.rsplit('/').next());
            operations.push(Operation {
                id: id.to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                // Contacts have the same name for what is in their place.
                path: path.replace("/channels/{jid}", "/channels/{channel}"),
                need: Need::of(id, operation),
                is_live: operation["responses"]["503"]["description"]
                    .as_str()
                    .is_some_and(|about| about.contains("gateway that owns the session")),
                takes_cookie: ways
                    .into_iter()
                    .flatten()
                    .any(|w| w["loginCookie"].is_array()),
                query: of_query
                    .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                    .collect(),
                body: body.map(str::to_owned),
            });
        }
    }
    assert!(operations.len() > 60);
    operations
}

/// The operations that not everybody may ask.
pub(crate) fn guarded() -> impl Iterator<Item = Operation> {
    let all = operations().into_iter();
    all.filter(|operation| operation.need != Need::Nothing)
}

impl Operation {
    /// The parameters of the path, in order.
    pub(crate) fn parameters(&self) -> Vec<&'static Parameter> {
        let parts = self.path.split('{').skip(1);
        let names = parts.map(|part| part.split('}').next().unwrap());
        names
            .map(|name| {
                let mut known = PARAMETERS.iter();
                known
                    .find(|parameter| parameter.name == name)
                    .unwrap_or_else(|| panic!("{}: add `{name}` to PARAMETERS and Place", self.id))
            })
            .collect()
    }

    /// Whether a parameter names something that the store knows, or nobody.
    pub(crate) fn is_stored(&self, parameter: &Parameter) -> bool {
        // A channel that was never seen is one without posts.
        !(self.is_live && ON_WHATSAPP.contains(&parameter.name)) && parameter.name != "channel"
    }

    /// The path with values in the place of its parameters.
    pub(crate) fn at<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> String {
        let mut path = self.path.clone();
        for (parameter, value) in self.parameters().iter().zip(values) {
            path = path.replace(&format!("{{{}}}", parameter.name), value);
        }
        assert!(!path.contains('{'), "{path}");
        path
    }

    /// The path to what an organization has.
    pub(crate) fn within(&self, place: &Place) -> String {
        let values: Vec<_> = self.parameters().iter().map(|p| (p.of)(place)).collect();
        self.at(values.iter().map(String::as_str))
    }

    /// The path to what nobody has.
    pub(crate) fn nowhere(&self) -> String {
        let parameters = self.parameters();
        self.at(parameters.iter().map(|parameter| parameter.unknown[0]))
    }

    /// Asks with a body that is not even JSON: whatever is checked before the body shows.
    pub(crate) async fn ask(&self, service: &Service, path: &str, headers: &Headers) -> Reply {
        let mut request = Request::builder().method(self.method.clone()).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "api.example");
        }
        for (name, value) in headers {
            request = request.header(*name, value.as_slice());
        }
        request = request.header("content-type", "application/json");
        service
            .request(request.body(Body::from("{")).unwrap())
            .await
    }

    /// Those of an organization who may, each by its credential.
    pub(crate) async fn allowed(&self, world: &World, place: &Place) -> Vec<Headers> {
        let service = &world.service;
        let tokens = people(place).filter(|(_, role)| self.suffices(*role));
        let tokens = tokens.map(|(person, _)| bearer(&person.token));
        match self.need {
            Need::Nothing => Vec::new(),
            Need::SuperAdmin => vec![bearer(&world.operator.token)],
            Need::Capability(capability) => {
                let only = Capabilities::from_iter([capability]);
                let (key, _) = service.key(place.organization, only, None).await;
                tokens.chain([bearer(&key)]).collect()
            }
            // A login of its own: the operation may end it.
            Need::Login => vec![cookie(&service.sign_in(&place.owner.user).await.0)],
            Need::Role(_) => tokens.chain(self.browsers(place, true)).collect(),
        }
    }

    /// Those who may not, each by a good credential.
    pub(crate) async fn refused(&self, world: &World, place: &Place) -> Vec<Headers> {
        let service = &world.service;
        let tokens = people(place).filter(|(_, role)| !self.suffices(*role));
        let tokens = tokens.map(|(person, _)| bearer(&person.token));
        let key = || bearer(&place.key.0);
        let loner = || bearer(&world.loner.token);
        match self.need {
            // Nobody who is signed in; whoever is not is no caller at all.
            Need::Nothing | Need::Login => Vec::new(),
            Need::SuperAdmin => tokens.chain([key(), loner()]).collect(),
            Need::Capability(_) if READ_IS_ENOUGH.contains(&&*self.id) => {
                let others = Capabilities::from_iter([Capability::Manage, Capability::Events]);
                let (key, _) = service.key(place.organization, others, None).await;
                tokens.chain([bearer(&key), loner()]).collect()
            }
            Need::Capability(capability) => {
                let key = service.key_without(place.organization, capability).await;
                tokens.chain([bearer(&key), loner()]).collect()
            }
            Need::Role(_) => {
                let browsers = self.browsers(place, false);
                tokens.chain([key()]).chain(browsers).collect()
            }
        }
    }

    /// Whether whoever is this in an organization may.
    fn suffices(&self, role: Role) -> bool {
        match self.need {
            Need::Nothing | Need::Login => true,
            Need::Capability(capability) => role.capabilities().has(capability),
            Need::Role(needed) => role >= needed,
            Need::SuperAdmin => false,
        }
    }

    /// The browsers of those who may, or who may not, where browsers may ask at all.
    fn browsers(&self, place: &Place, is_enough: bool) -> impl Iterator<Item = Headers> {
        let people = people(place)
            .filter(move |(_, role)| self.takes_cookie && self.suffices(*role) == is_enough);
        people.map(|(person, _)| cookie(&person.secret))
    }
}

fn people(place: &Place) -> impl Iterator<Item = (&Somebody, Role)> {
    [
        (&place.owner, Role::Owner),
        (&place.admin, Role::Admin),
        (&place.member, Role::Member),
    ]
    .into_iter()
}

/// Everything that a client can see, but the request's own id.
pub(crate) fn visible(mut reply: Reply) -> (u16, HeaderMap, Vec<u8>) {
    reply.headers.remove("x-request-id").unwrap();
    (reply.status.as_u16(), reply.headers, reply.bytes)
}

#[test]
fn every_operation_is_understood() {
    let all = operations();
    for operation in &all {
        match operation.need {
            Need::Nothing => {
                // What a token is bound to is nobody else's to name.
                let bare = operation.path.replace("{provider}", "");
                let bare = bare.replace("{media}/content", "");
                let names_nothing = !bare.contains('{');
                assert!(names_nothing, "{} names what is somebody's", operation.id);
            }
            _ => drop(operation.parameters()),
        }
    }
    for (public, _) in PUBLIC {
        let is_there = all.iter().any(|operation| operation.id == *public);
        assert!(is_there, "{public} is gone: take it off PUBLIC");
    }
}
