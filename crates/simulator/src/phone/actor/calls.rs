//! Calls as devices signal them: offers, answers, endings.
//!
//! Shapes: wacore `stanza::call`. The keys and relays of real calls are left out: nobody speaks.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::actions::parse_user;
use super::run::Actor;
use crate::phone::calls::{CallAction, CallState, MAX_CALLS, PhoneCall};
use crate::phone::error::PhoneError;
use crate::phone::nodes::{jid_attr, text_attr};

/// What devices are told that rang in vain because another one took the call.
const ACCEPTED_ELSEWHERE: &str = "accepted_elsewhere";
/// What devices are told that rang in vain because another one refused the call.
const REJECTED_ELSEWHERE: &str = "rejected_elsewhere";

impl Actor {
    /// Rings at all devices of somebody.
    pub(super) async fn call(&mut self, to: &str, is_video: bool) -> Result<String, PhoneError> {
        let to = self.chat_of(&parse_user("to", to)?).await?;
        let id = format!("{:032X}", rand::random::<u128>());
        let audio = NodeBuilder::new("audio")
            .attr("enc", "opus")
            .attr("rate", "16000")
            .build();
        let video = is_video.then(|| NodeBuilder::new("video").build());
        let offer = NodeBuilder::new("offer")
            .attr("call-id", &id)
            .attr("call-creator", &self.shared.lid)
            .children(std::iter::once(audio).chain(video))
            .build();
        self.send_signal(&to, offer)?;
        let peer = self.contacts.shown(&to).to_string();
        self.note_call(PhoneCall {
            id: id.clone(),
            peer,
            incoming: false,
            video: is_video,
            state: CallState::Ringing,
            reason: None,
        });
        Ok(id)
    }

    pub(super) async fn act_on_call(
        &mut self,
        id: &str,
        action: CallAction,
    ) -> Result<(), PhoneError> {
        let call = self.known_call(id)?;
        let is_over = matches!(call.state, CallState::Ended | CallState::Rejected);
        let is_possible = match &action {
            CallAction::Accept | CallAction::Reject => {
                call.incoming && call.state == CallState::Ringing
            }
            CallAction::End(_) => !is_over,
        };
        if !is_possible {
            let problem = "the call is not one that this can be done to now".to_owned();
            return Err(PhoneError::Conflict(problem));
        }
        let damaged = |_| PhoneError::internal("a caller is not a JID");
        let peer: Jid = call.peer.parse().map_err(damaged)?;
        let peer = self.chat_of(&peer).await?;
        let creator = if call.incoming {
            peer.clone()
        } else {
            self.shared.lid.clone()
        };
        let (tag, state, reason) = match action {
            CallAction::Accept => ("accept", CallState::Accepted, None),
            CallAction::Reject => ("reject", CallState::Rejected, None),
            CallAction::End(reason) => ("terminate", CallState::Ended, reason),
        };
        let signal = signal_node(tag, id, &creator, reason.as_deref());
        self.send_signal(&peer, signal)?;
        self.advance_call(id, state, reason);
        Ok(())
    }

    /// Another device says something of a call.
    pub(super) async fn on_call(&mut self, node: &Node) -> Result<(), PhoneError> {
        let signal = node.children().and_then(<[Node]>::first);
        let (Some(signal), Some(from)) = (signal, jid_attr(node, "from")) else {
            return Ok(());
        };
        let Some(id) = text_attr(signal, "call-id") else {
            return Ok(());
        };
        match &*signal.tag {
            "offer" => {
                let caller = from.to_non_ad();
                self.know_number(&caller).await;
                let peer = self.contacts.shown(&caller).to_string();
                self.note_call(PhoneCall {
                    id,
                    peer,
                    incoming: true,
                    video: signal.get_optional_child("video").is_some(),
                    state: CallState::Ringing,
                    reason: None,
                });
            }
            "accept" => {
                self.answered(&id, &from, CallState::Accepted, ACCEPTED_ELSEWHERE)
                    .await?;
            }
            "reject" => {
                self.answered(&id, &from, CallState::Rejected, REJECTED_ELSEWHERE)
                    .await?;
            }
            "terminate" => {
                self.advance_call(&id, CallState::Ended, text_attr(signal, "reason"));
            }
            _ => {}
        }
        Ok(())
    }

    /// One of the devices that were called has answered: the others stop ringing.
    async fn answered(
        &mut self,
        id: &str,
        by: &Jid,
        state: CallState,
        reason: &str,
    ) -> Result<(), PhoneError> {
        let is_ours = self
            .known_call(id)
            .is_ok_and(|call| !call.incoming && call.state == CallState::Ringing);
        if !is_ours {
            return Ok(());
        }
        self.advance_call(id, state, None);
        let callee = self.chat_of(&by.to_non_ad()).await?;
        let creator = self.shared.lid.clone();
        for device in self.devices_of(&[&callee]).await? {
            // What is for the primary would reach all devices.
            if device.device != by.device && device.device != 0 {
                let signal = signal_node("terminate", id, &creator, Some(reason));
                self.send_signal(&device, signal)?;
            }
        }
        Ok(())
    }

    fn send_signal(&self, to: &Jid, signal: Node) -> Result<(), PhoneError> {
        let id = self.requests.generate_request_id();
        let call = NodeBuilder::new("call")
            .attr("to", to)
            .attr("id", id)
            .children([signal])
            .build();
        self.transmit(call)
    }

    fn known_call(&self, id: &str) -> Result<PhoneCall, PhoneError> {
        let calls = self.shared.calls();
        let mut known = calls.iter();
        known
            .find(|call| call.id == id)
            .cloned()
            .ok_or_else(|| PhoneError::NotFound("no such call".to_owned()))
    }

    fn note_call(&self, call: PhoneCall) {
        let mut calls = self.shared.calls();
        if calls.iter().any(|known| known.id == call.id) {
            return;
        }
        if calls.len() >= MAX_CALLS {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    fn advance_call(&self, id: &str, state: CallState, reason: Option<String>) {
        let mut calls = self.shared.calls();
        let known = calls.iter_mut().find(|call| call.id == id);
        if let Some(call) = known
            && !matches!(call.state, CallState::Ended | CallState::Rejected)
        {
            call.state = state;
            call.reason = reason;
        }
    }
}

fn signal_node(tag: &'static str, id: &str, creator: &Jid, reason: Option<&str>) -> Node {
    let mut signal = NodeBuilder::new(tag)
        .attr("call-id", id)
        .attr("call-creator", creator);
    if let Some(reason) = reason {
        signal = signal.attr("reason", reason);
    }
    signal.build()
}
