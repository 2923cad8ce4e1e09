//! People: routes under `/api/auth`, for the dashboard and for scripts.
//!
//! A browser shows a cookie ([`cookies`]) there, and nowhere else: the routes under `/api/v1`
//! take a token or a key, which no other site's page can make a browser send.

mod account;
mod api_keys;
pub(crate) mod cookies;
mod invitations;
mod login;
mod members;
mod organizations;
mod pages;
mod providers;
mod second_factor;
mod shapes;
mod tokens;
mod users;
pub(crate) mod visitor;

use utoipa_axum::router::UtoipaMethodRouter;

use crate::state::ApiState;

/// The routes, in the order of the document.
pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    [
        login::routes(),
        providers::routes(),
        tokens::routes(),
        account::routes(),
        second_factor::routes(),
        organizations::routes(),
        members::routes(),
        invitations::routes(),
        api_keys::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(crate) use pages::routes as pages;

/// The operator's routes.
pub(crate) fn admin_routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    users::routes()
}
