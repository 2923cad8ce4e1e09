//! People: accounts, and how they sign in.

mod account;
mod links;
mod logins;
mod passwords;
mod second_factor;
mod sign_up;
mod throttle;

pub(crate) use account::actor_of;
pub use account::{NewUser, UserPage};
pub(crate) use links::void_link;
pub use logins::{Client, CurrentLogin, LogIn, NewLogin};
pub use passwords::Password;
pub(crate) use passwords::PasswordHashing;
pub use second_factor::TotpOffer;
pub use sign_up::SignUpRequest;
