//! `wagate user …`: accounts, for whoever has the command line.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use serde_json::json;
use wagate_cluster::Signal;
use wagate_identity::{Identity, NewUser, Password};
use wagate_model::{Actor, Email, PlatformRole, Role, User};

use super::keys::BUS_TIMEOUT;
use super::organizations::{find, open, open_existing};
use crate::cli::{Common, CreateUser, UserCommand};
use crate::parts::Parts;
use crate::{note, print};

/// Most users that `list` shows.
const LISTED: i64 = 10_000;

/// Makes, lists and changes accounts.
pub(crate) async fn user(command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Create(arguments) => create(arguments).await,
        UserCommand::List { common, json } => list(&common, json).await,
        UserCommand::ResetPassword { common, email } => reset_password(&common, &email).await,
        UserCommand::Ban {
            common,
            email,
            reason,
        } => {
            change(&common, &email, async |identity, user, actor| {
                identity.ban_user(user, reason.as_deref(), actor).await
            })
            .await?;
            print("banned")
        }
        UserCommand::Unban { common, email } => {
            change(&common, &email, async |identity, user, actor| {
                identity.unban_user(user, actor).await
            })
            .await?;
            print("the ban has ended")
        }
        UserCommand::SetRole {
            common,
            email,
            role,
        } => {
            change(&common, &email, async |identity, user, actor| {
                identity.set_platform_role(user, role, actor).await
            })
            .await?;
            print(role.as_str())
        }
        UserCommand::RemoveTotp { common, email } => {
            change(&common, &email, async |identity, user, actor| {
                identity.remove_totp(user, actor).await
            })
            .await?;
            print("the second factor is off")
        }
    }
}

async fn create(arguments: CreateUser) -> anyhow::Result<()> {
    let password = if arguments.link {
        None
    } else {
        Some(read_password()?)
    };
    let parts = open(&arguments.common).await?;
    let actor = Actor::operator();
    let mut new = NewUser {
        name: arguments
            .name
            .unwrap_or_else(|| arguments.email.as_str().to_owned()),
        email: arguments.email,
        password,
        platform_role: if arguments.super_admin {
            PlatformRole::SuperAdmin
        } else {
            PlatformRole::User
        },
        // Whoever has the command line vouches for it.
        is_email_confirmed: true,
        membership: None,
    };
    // Before an organization is made for it.
    let faults = new.faults().into_result();
    faults.map_err(wagate_identity::IdentityError::Invalid)?;
    if let Some(name) = &arguments.organization {
        let role = arguments.role.unwrap_or(Role::Owner);
        let organization = match find(&parts.identity, name).await? {
            Some(organization) => organization,
            None if name.starts_with("org_") => bail!("there is no organization of that id"),
            None => parts.identity.create_organization(name, &actor).await?,
        };
        new.membership = Some((organization.id, role));
    }
    let user = parts.identity.create_user(new, Some(&actor)).await?;
    if arguments.link {
        let link = parts.identity.issue_password_reset(&user, &actor).await?;
        note("this link sets the password; it works once, for an hour:");
        print(link)?;
    } else {
        print(user.id.to_string())?;
    }
    parts.store.close().await;
    Ok(())
}

/// Reads a password: from the terminal without showing it, else the first line of standard input.
fn read_password() -> anyhow::Result<Password> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password (10 characters at least): ")?;
        let again = rpassword::prompt_password("Once more: ")?;
        anyhow::ensure!(password == again, "the two passwords differ");
        return Ok(password.into());
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned().into())
}

async fn list(common: &Common, is_json: bool) -> anyhow::Result<()> {
    let parts = open_existing(common).await?;
    let page = parts.identity.users(None, "", LISTED).await?;
    parts.store.close().await;
    if page.has_more {
        note(format!("only the first {LISTED} are shown"));
    }
    if is_json {
        let users: Vec<_> = page.users.iter().map(describe_json).collect();
        return print(json!({ "data": users }).to_string());
    }
    let lines = page.users.iter().map(|user| {
        let state = match user.banned_at {
            Some(_) => "banned",
            None => user.platform_role.as_str(),
        };
        format!("{}  {}  {state}  {}", user.id, user.email, user.name)
    });
    print(lines.collect::<Vec<_>>().join("\n"))
}

fn describe_json(user: &User) -> serde_json::Value {
    json!({
        "id": user.id,
        "email": user.email.as_str(),
        "name": user.name,
        "platformRole": user.platform_role,
        "secondFactor": user.has_totp,
        "bannedAt": user.banned_at,
        "createdAt": user.created_at,
        "lastLoginAt": user.last_login_at,
    })
}

async fn reset_password(common: &Common, email: &Email) -> anyhow::Result<()> {
    let parts = open_existing(common).await?;
    let user = find_user(&parts.identity, email).await?;
    let link = parts
        .identity
        .issue_password_reset(&user, &Actor::operator())
        .await?;
    parts.store.close().await;
    note("this link sets a new password; it works once, for an hour:");
    print(link)
}

async fn find_user(identity: &Identity, email: &Email) -> anyhow::Result<User> {
    let found = identity.user_by_email(email).await;
    found.context("there is no user of that address")
}

/// Changes a user, and tells running services.
async fn change(
    common: &Common,
    email: &Email,
    change: impl AsyncFnOnce(&Identity, &User, &Actor) -> Result<(), wagate_identity::IdentityError>,
) -> anyhow::Result<()> {
    let parts = open_existing(common).await?;
    let user = find_user(&parts.identity, email).await?;
    change(&parts.identity, &user, &Actor::operator()).await?;
    tell(&parts, &user).await;
    parts.store.close().await;
    Ok(())
}

async fn tell(parts: &Parts, user: &User) {
    parts.bus.publish(Signal::UserChanged { user_id: user.id });
    if let Err(error) = parts.bus.flush(BUS_TIMEOUT).await {
        note(format!(
            "the bus could not be told ({error}): running services notice within a second"
        ));
    }
}
