//! Groups: their records, how they change, and what members send to each other in them.

mod change;
mod describe;
mod messages;
mod receipts;
mod record;
mod registry;
mod view;

pub(in crate::server) use change::Change;
pub(in crate::server) use describe::{
    approval_mode, group_jid, group_node, mark, participant_node,
};
pub use record::Role;
pub(in crate::server) use record::{
    AddRequest, Community, Description, GroupRecord, JoinRequest, Link, Member, Person,
};
pub(in crate::server) use registry::Groups;
pub use view::{Group, GroupMember};
