//! Use cases of contacts.

use wagate_cluster::{ContactReply, ContactRequest, LiveReply, LiveRequest};
use wagate_model::{
    Blocklist, CheckContactsInput, Contact, ContactAbout, ContactDetail, ContactGroup,
    ContactSource, Draft, Faults, Identity, Jid, JidKind, ListContact, ListOnWhatsApp, OnWhatsApp,
    PhoneNumber, ProfilePicture, SaveContactInput, SessionId, hide_contents, limits,
};
use wagate_store::{ContactFilter, ContactRecord, ContactSource as StoredSource, Tx};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::live::unexpected_live;
use crate::pages::{Page, cut};
use crate::service::Core;

/// Which contacts of a session are wanted; the parts combine.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ContactQuery {
    /// `dm` or `group`.
    pub source: Option<String>,
    /// Only members of this group.
    pub group: Option<String>,
    /// Only those with this in a name or in the number.
    pub text: Option<String>,
    /// Which part of the list.
    pub page: Page,
}

// Whom somebody looks for must not reach logs by way of `{:?}`.
hide_contents!(ContactQuery);

impl ContactQuery {
    fn filter(&self, faults: &mut Faults) -> ContactFilter {
        let source = match self.source.as_deref() {
            None => None,
            Some("dm") => Some(StoredSource::Dm),
            Some("group") => Some(StoredSource::Group),
            Some(_) => {
                faults.add("source", "must be dm or group");
                None
            }
        };
        let group_jid = self.group.as_deref().and_then(|text| {
            let jid = text.parse::<Jid>().ok();
            let jid = jid.filter(|jid| jid.kind() == JidKind::Group);
            faults.check(jid.is_some(), "group", || {
                "must be the JID of a group, such as 120363025246125486@g.us".into()
            });
            jid.map(|jid| jid.to_string())
        });
        if let Some(text) = &self.text {
            faults.check_length("q", text, limits::SEARCH_CHARS);
        }
        ContactFilter {
            source,
            group_jid,
            search: self.text.clone(),
        }
    }
}

impl Core {
    /// Lists the people that a session has seen.
    pub async fn list_contacts(
        &self,
        access: &SessionAccess,
        query: Draft<ContactQuery>,
    ) -> Result<ListContact> {
        let (query, mut faults) = query.open()?;
        let filter = query.filter(&mut faults);
        // A position is the same in every selection of the list.
        let list = self.list(
            access.organization_id(),
            format!("contacts/{}", access.id()),
        );
        let after: Option<i64> = list.start(&query.page, &mut faults);
        faults.into_result()?;
        let limit = query.page.rows();
        let mut rows = self
            .store
            .read()
            .await?
            .contacts(
                access.organization_id(),
                access.id(),
                &filter,
                after,
                limit + 1,
            )
            .await?;
        let has_more = cut(&mut rows, limit);
        let end = rows.last().filter(|_| has_more);
        Ok(ListContact {
            next_cursor: end.map(|row| list.cursor(&row.identity.id)),
            data: rows.into_iter().map(contact).collect(),
        })
    }

    /// All that is stored on one person, by LID or by the phone number.
    pub async fn get_contact(&self, access: &SessionAccess, person: &str) -> Result<ContactDetail> {
        const NOT_FOUND: Error = Error::NotFound(What::Contact);
        let jid = Jid::parse_lenient(person).map_err(|_| NOT_FOUND)?;
        let (organization, session) = (access.organization_id(), access.id());
        let mut tx = self.store.read().await?;
        let found = tx.contact(organization, session, jid.as_str()).await?;
        let found = found.ok_or(NOT_FOUND)?;
        let memberships = tx
            .memberships(organization, session, found.identity.id)
            .await?;
        let groups = memberships.into_iter().map(|membership| ContactGroup {
            jid: membership.group_jid,
            last_seen: membership.last_seen_at,
            name: membership.group_subject,
            role: membership.role,
            tag: membership.tag,
        });
        let identity = &found.identity;
        Ok(ContactDetail {
            dm: found.has_dm,
            groups: groups.collect(),
            identity: Some(Identity {
                business_name: identity.business_name.clone(),
                first_seen_at: identity.first_seen_at,
                // As with chats: the row's number would tell how many others have.
                id: self.signing_root.number_of(session, identity.id),
                lid: identity.lid.clone().unwrap_or_default(),
                name: identity.name().map(str::to_owned),
                phone_jid: identity.phone_jid.clone(),
                phone_number: phone_number(identity.phone_jid.as_deref()),
                updated_at: identity.updated_at,
            }),
        })
    }

    /// Whether a number is on WhatsApp; nobody is told.
    pub async fn check_contact(
        &self,
        access: &SessionAccess,
        phone: Draft<Option<String>>,
    ) -> Result<OnWhatsApp> {
        let (phone, mut faults) = phone.open()?;
        let phone = faults.required("phone", phone);
        let number = phone.as_ref().and_then(|phone| {
            let number = phone.parse::<PhoneNumber>();
            number
                .map_err(|error| faults.add("phone", error.to_string()))
                .ok()
        });
        faults.into_result()?;
        let phones = number.iter().map(Jid::from_phone).collect();
        let request = LiveRequest::Contact(ContactRequest::Check { phones });
        match self.ask_live(access, request, What::Contact).await? {
            LiveReply::Contact(ContactReply::Checked(mut found)) if found.len() == 1 => {
                let query = phone.unwrap_or_default();
                Ok(OnWhatsApp {
                    query,
                    ..found.remove(0)
                })
            }
            other => Err(unexpected_live(&other)),
        }
    }

    /// Whether numbers are on WhatsApp, in the order of the question.
    pub async fn check_contacts(
        &self,
        access: &SessionAccess,
        request: Draft<CheckContactsInput>,
    ) -> Result<ListOnWhatsApp> {
        let (request, mut faults) = request.open()?;
        let asked = request.phones.unwrap_or_default();
        let is_count = (1..=limits::CHECKED_NUMBERS).contains(&asked.len());
        faults.check(is_count, "phones", || {
            format!("must have 1 to {} entries", limits::CHECKED_NUMBERS)
        });
        let mut phones = Vec::new();
        for (index, phone) in asked.iter().enumerate().take(limits::CHECKED_NUMBERS) {
            match phone.parse::<PhoneNumber>() {
                Ok(number) => phones.push(Jid::from_phone(&number)),
                Err(error) => faults.add(format!("phones[{index}]"), error.to_string()),
            }
        }
        faults.into_result()?;
        let request = LiveRequest::Contact(ContactRequest::Check { phones });
        match self.ask_live(access, request, What::Contact).await? {
            LiveReply::Contact(ContactReply::Checked(found)) => {
                let answered = asked.into_iter().zip(found);
                let data = answered.map(|(query, found)| OnWhatsApp { query, ..found });
                Ok(ListOnWhatsApp {
                    data: data.collect(),
                })
            }
            other => Err(unexpected_live(&other)),
        }
    }

    /// Whom the account has blocked.
    pub async fn get_blocklist(&self, access: &SessionAccess) -> Result<Blocklist> {
        let request = LiveRequest::Contact(ContactRequest::Blocklist);
        match self.ask_live(access, request, What::Account).await? {
            LiveReply::Contact(ContactReply::Blocklist(people)) => Ok(Blocklist {
                data: people.iter().map(Jid::to_string).collect(),
            }),
            other => Err(unexpected_live(&other)),
        }
    }

    /// Saves a person under a name, on all devices of the account.
    pub async fn save_contact(
        &self,
        access: &SessionAccess,
        person: &str,
        request: Draft<SaveContactInput>,
    ) -> Result<()> {
        let person = person_of(person)?;
        let (request, mut faults) = request.open()?;
        let full_name = faults.required("fullName", request.full_name);
        for (field, name) in [("fullName", &full_name), ("firstName", &request.first_name)] {
            if let Some(name) = name {
                faults.check_name(field, name, limits::CARD_NAME_CHARS);
                faults.check(!name.trim().is_empty(), field, || {
                    "must not be blank".into()
                });
            }
        }
        faults.into_result()?;
        let request = LiveRequest::Contact(ContactRequest::Save {
            person,
            full_name: full_name.unwrap_or_default(),
            first_name: request.first_name,
        });
        self.do_live(access, request, What::Contact).await
    }

    /// The text below a person's name.
    pub async fn get_contact_about(
        &self,
        access: &SessionAccess,
        person: &str,
    ) -> Result<ContactAbout> {
        let person = person_of(person)?;
        let request = LiveRequest::Contact(ContactRequest::About { person });
        match self.ask_live(access, request, What::Contact).await? {
            LiveReply::Contact(ContactReply::About(about)) => Ok(ContactAbout { about }),
            other => Err(unexpected_live(&other)),
        }
    }

    /// Where the picture of a person or group can be fetched.
    pub async fn get_contact_picture(
        &self,
        access: &SessionAccess,
        of: &str,
    ) -> Result<ProfilePicture> {
        let of = Jid::parse_lenient(of).map_err(|_| Error::NotFound(What::Contact))?;
        let request = LiveRequest::Contact(ContactRequest::Picture { of });
        match self.ask_live(access, request, What::Picture).await? {
            LiveReply::Contact(ContactReply::Picture(picture)) => {
                picture.ok_or(Error::NotFound(What::Picture))
            }
            other => Err(unexpected_live(&other)),
        }
    }

    /// Blocks a person.
    pub async fn block_contact(&self, access: &SessionAccess, person: &str) -> Result<()> {
        self.set_blocked(access, person, true).await
    }

    /// Unblocks a person.
    pub async fn unblock_contact(&self, access: &SessionAccess, person: &str) -> Result<()> {
        self.set_blocked(access, person, false).await
    }

    /// Mutes the stories of a person, or no longer does.
    pub async fn mute_contact_status(
        &self,
        access: &SessionAccess,
        person: &str,
        is_muted: bool,
    ) -> Result<()> {
        let person = person_of(person)?;
        let request = LiveRequest::Contact(ContactRequest::MuteStatus { person, is_muted });
        self.do_live(access, request, What::Contact).await
    }

    async fn set_blocked(
        &self,
        access: &SessionAccess,
        person: &str,
        is_blocked: bool,
    ) -> Result<()> {
        let person = person_of(person)?;
        let request = LiveRequest::Contact(ContactRequest::SetBlocked { person, is_blocked });
        self.do_live(access, request, What::Contact).await
    }
}

/// Both addresses of a person, or the one that is known twice.
pub(crate) async fn addresses_of(
    tx: &mut Tx,
    session: SessionId,
    person: &Jid,
) -> Result<[String; 2]> {
    let address = person.to_string();
    let asked = std::slice::from_ref(&address);
    let known = tx.identities_of(session, asked).await?.remove(&address);
    let both = known.map(|known| [known.lid, known.phone_jid]);
    let mut both = both.into_iter().flatten().flatten();
    let other = both.find(|other| *other != address);
    Ok([address.clone(), other.unwrap_or(address)])
}

/// The person in a path; what is no person is not found.
fn person_of(text: &str) -> Result<Jid> {
    let jid = Jid::parse_lenient(text).ok();
    jid.filter(|jid| jid.kind().is_person())
        .ok_or(Error::NotFound(What::Contact))
}

fn contact(row: ContactRecord) -> Contact {
    let name = row.identity.name().map(str::to_owned);
    Contact {
        business_name: row.identity.business_name,
        phone_number: phone_number(row.identity.phone_jid.as_deref()),
        lid: row.identity.lid.unwrap_or_default(),
        name,
        status_muted: row.identity.is_status_muted,
        source: if row.has_dm {
            ContactSource::Dm
        } else {
            ContactSource::Group
        },
    }
}

/// The digits of an address by phone number.
fn phone_number(jid: Option<&str>) -> Option<String> {
    let jid: Jid = jid?.parse().ok()?;
    jid.phone().map(str::to_owned)
}
