//! Communities: groups that other groups belong to.

use std::pin::Pin;

use wagate_model::Jid;
use whatsapp_rust::features::{CommunityError, CreateCommunityOptions};

use super::Connection;
use super::actions::request_error;
use super::groups::failure as group_failure;
use crate::convert::{self, library_jid, model_jid};
use crate::{CommunitySubgroup, GroupSnapshot, LinkOutcome, RequestError};

/// What the library answers; behind a pointer, as its futures are nested deeply.
type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, CommunityError>> + Send + 'a>>;

impl Connection {
    /// The communities that the account is in.
    pub async fn communities(&self) -> Result<Vec<GroupSnapshot>, RequestError> {
        let client = self.logged_in()?;
        let asking: Asking<'_, _> =
            Box::pin(async move { client.community().get_participating().await });
        let found = asking.await.map_err(|error| failure(&error))?;
        Ok(found.values().filter_map(convert::group).collect())
    }

    /// Makes a community.
    pub async fn create_community(
        &self,
        subject: &str,
        description: Option<&str>,
        is_approval_required: bool,
    ) -> Result<GroupSnapshot, RequestError> {
        let client = self.logged_in()?;
        let mut options = CreateCommunityOptions::new(subject);
        options.description = description.map(str::to_owned);
        options.closed = is_approval_required;
        let asking: Asking<'_, _> =
            Box::pin(async move { client.community().create(options).await });
        let made = asking.await.map_err(|error| failure(&error))?;
        convert::group(&made.metadata).ok_or(RequestError::Failed)
    }

    /// The groups that belong to a community.
    pub async fn community_groups(
        &self,
        community: &Jid,
    ) -> Result<Vec<CommunitySubgroup>, RequestError> {
        let client = self.logged_in()?;
        let community = library_jid(community);
        let asking: Asking<'_, _> =
            Box::pin(async move { client.community().get_subgroups(&community).await });
        let found = asking.await.map_err(|error| failure(&error))?;
        let groups = found.into_iter().filter_map(|group| {
            Some(CommunitySubgroup {
                group: model_jid(&group.id)?,
                subject: group.subject.replace('\0', ""),
                size: group.participant_count,
                is_announcements: group.is_default_sub_group,
            })
        });
        Ok(groups.collect())
    }

    /// Links groups to a community, or unlinks them.
    pub async fn link_groups(
        &self,
        community: &Jid,
        groups: &[Jid],
        is_linked: bool,
    ) -> Result<LinkOutcome, RequestError> {
        let client = self.logged_in()?;
        let community = library_jid(community);
        let groups: Vec<_> = groups.iter().map(library_jid).collect();
        let asking: Asking<'_, _> = Box::pin(async move {
            let communities = client.community();
            if is_linked {
                let linked = communities.link_subgroups(community, &groups).await?;
                Ok((linked.linked_jids, linked.failed_groups))
            } else {
                let unlinked = communities
                    .unlink_subgroups(community, &groups, false)
                    .await?;
                Ok((unlinked.unlinked_jids, unlinked.failed_groups))
            }
        });
        let (done, refused) = asking.await.map_err(|error| failure(&error))?;
        let refused = refused
            .iter()
            .filter_map(|(group, code)| Some((model_jid(group)?, *code)));
        Ok(LinkOutcome {
            done: done.iter().filter_map(model_jid).collect(),
            refused: refused.collect(),
        })
    }
}

fn failure(error: &CommunityError) -> RequestError {
    match error {
        CommunityError::Iq(error) => request_error(error),
        CommunityError::Group(error) => group_failure(error),
        _ => RequestError::Failed,
    }
}
