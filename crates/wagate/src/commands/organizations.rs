//! `wagate organization …`.

use anyhow::bail;
use serde_json::json;
use wagate_identity::Identity;
use wagate_model::{Actor, Organization, OrganizationId};

use crate::cli::{Common, OrganizationCommand};
use crate::parts::Parts;
use crate::{config, print};

/// Makes or lists organizations.
pub(crate) async fn organization(command: OrganizationCommand) -> anyhow::Result<()> {
    match command {
        OrganizationCommand::Create { common, name } => {
            let parts = open(&common).await?;
            if find(&parts.identity, &name).await?.is_some() {
                bail!("there is an organization of that name already");
            }
            let organization = parts
                .identity
                .create_organization(&name, &Actor::operator())
                .await?;
            parts.store.close().await;
            print(organization.id.to_string())
        }
        OrganizationCommand::List { common, json } => {
            let parts = open_existing(&common).await?;
            let organizations = parts.identity.organizations().await?;
            parts.store.close().await;
            if json {
                return print(json!({ "data": organizations }).to_string());
            }
            let lines = organizations
                .iter()
                .map(|o| format!("{}  {}", o.id, o.name));
            print(lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Opens the installation that the flags name, or makes it.
pub(super) async fn open(common: &Common) -> anyhow::Result<Parts> {
    Parts::open(&config::load(&common.flags())?).await
}

/// Opens the installation that the flags name, as it is.
pub(super) async fn open_existing(common: &Common) -> anyhow::Result<Parts> {
    Parts::open_existing(&config::load(&common.flags())?).await
}

/// The organization of an id or a name.
pub(super) async fn find(
    identity: &Identity,
    id_or_name: &str,
) -> anyhow::Result<Option<Organization>> {
    if let Ok(id) = id_or_name.parse::<OrganizationId>() {
        let all = identity.organizations().await?;
        return Ok(all.into_iter().find(|organization| organization.id == id));
    }
    let all = identity.organizations().await?;
    let mut named = all
        .into_iter()
        .filter(|organization| organization.name == id_or_name);
    match (named.next(), named.next()) {
        (Some(_), Some(_)) => bail!("several organizations have that name; use the id"),
        (first, _) => Ok(first),
    }
}
