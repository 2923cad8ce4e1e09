//! Use cases of communities: nothing of them is stored but the groups.

use wagate_cluster::{CommunityReply, CommunityRequest, LiveReply, LiveRequest};
use wagate_model::{
    Community, CommunityGroupsInput, CommunityGroupsOutput, CreateCommunityInput, Draft, Jid,
    JidKind, ListCommunity, ListCommunityGroup,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::live::unexpected_live;
use crate::service::Core;

impl Core {
    /// Lists the communities that the account is in.
    pub async fn list_communities(&self, access: &SessionAccess) -> Result<ListCommunity> {
        match self.ask_community(access, CommunityRequest::List).await? {
            CommunityReply::Found(data) => Ok(ListCommunity { data }),
            other => Err(unexpected_live(&LiveReply::Communities(other))),
        }
    }

    /// Makes a community.
    pub async fn create_community(
        &self,
        access: &SessionAccess,
        request: Draft<CreateCommunityInput>,
    ) -> Result<Community> {
        let (request, ()) = request.checked(CreateCommunityInput::check)?;
        let request = CommunityRequest::Create(request);
        match self.ask_community(access, request).await? {
            CommunityReply::Created(community) => Ok(community),
            other => Err(unexpected_live(&LiveReply::Communities(other))),
        }
    }

    /// Lists the groups of a community.
    pub async fn list_community_groups(
        &self,
        access: &SessionAccess,
        community: &str,
    ) -> Result<ListCommunityGroup> {
        let community = community_of(community)?;
        let request = CommunityRequest::Groups { community };
        match self.ask_community(access, request).await? {
            CommunityReply::Groups(data) => Ok(ListCommunityGroup { data }),
            other => Err(unexpected_live(&LiveReply::Communities(other))),
        }
    }

    /// Links groups to a community, or unlinks them.
    pub async fn link_community_groups(
        &self,
        access: &SessionAccess,
        community: &str,
        is_linked: bool,
        request: Draft<CommunityGroupsInput>,
    ) -> Result<CommunityGroupsOutput> {
        let community = community_of(community)?;
        let (_, groups) = request.checked(CommunityGroupsInput::check)?;
        let request = CommunityRequest::Link {
            community,
            groups,
            is_linked,
        };
        match self.ask_community(access, request).await? {
            CommunityReply::Linked(outcome) => Ok(outcome),
            other => Err(unexpected_live(&LiveReply::Communities(other))),
        }
    }

    async fn ask_community(
        &self,
        access: &SessionAccess,
        request: CommunityRequest,
    ) -> Result<CommunityReply> {
        let request = LiveRequest::Communities(request);
        match self.ask_live(access, request, What::Community).await? {
            LiveReply::Communities(reply) => Ok(reply),
            other => Err(unexpected_live(&other)),
        }
    }
}

/// The community in a path; what is no group is not found.
fn community_of(text: &str) -> Result<Jid> {
    let jid = text.parse::<Jid>().ok();
    jid.filter(|jid| jid.kind() == JidKind::Group)
        .ok_or(Error::NotFound(What::Community))
}
