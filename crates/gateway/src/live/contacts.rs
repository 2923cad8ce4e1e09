//! People: whether they are there, what they show, and whether they are blocked.

use wagate_cluster::{ContactReply, ContactRequest, LiveReply};

use super::{Live, LiveResult};

impl Live<'_> {
    pub(super) async fn contact(&self, request: ContactRequest) -> LiveResult {
        let connection = &self.connection;
        let reply = match request {
            ContactRequest::Check { phones } => connection
                .check_numbers(&phones)
                .await
                .map(ContactReply::Checked),
            ContactRequest::About { person } => {
                connection.about_of(&person).await.map(ContactReply::About)
            }
            ContactRequest::Picture { of } => {
                connection.picture_of(&of).await.map(ContactReply::Picture)
            }
            ContactRequest::SetBlocked { person, is_blocked } => {
                return self.done(connection.set_blocked(&person, is_blocked).await);
            }
        };
        match reply {
            Ok(reply) => Ok(LiveReply::Contact(reply)),
            Err(error) => Err(self.refusal(&error)),
        }
    }
}
