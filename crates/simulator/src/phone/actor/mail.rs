//! What reaches a phone's task.

use tokio::sync::oneshot;
use wacore::request::InfoQuery;
use wacore_binary::Node;

use super::media::FileRequest;
use crate::phone::calls::CallAction;
use crate::phone::content::{Action, SendRequest};
use crate::phone::error::PhoneError;
use crate::phone::handle::Sent;
use crate::phone::kept::{KeptChange, KeptEntry};
use crate::phone::link::CompanionFinish;
use crate::phone::media::{Answer, MediaState};
use crate::phone::past::Past;
use crate::phone::record::Behaviour;

/// Where the answer to a command without a result goes.
pub(crate) type Reply = oneshot::Sender<Result<(), PhoneError>>;

/// Where the server's word on a sent message goes.
pub(crate) type SendReply = oneshot::Sender<Result<Sent, PhoneError>>;

/// Where a companion's answer to a typed code goes.
pub(crate) type Finish = oneshot::Sender<CompanionFinish>;

/// A stanza, the end of a connection, or a command.
pub(crate) enum Mail {
    /// A stanza of the connection with this number.
    Stanza(u64, Node),
    /// The server ended the connection with this number.
    Closed(u64),
    /// The wait before another attempt to connect is over.
    Reconnect,
    /// Somebody asks for something.
    Command(Command),
}

/// What the other side shows while a user is writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypingState {
    Composing,
    Recording,
    Paused,
}

/// What a phone can be asked to do.
pub(crate) enum Command {
    Send {
        request: SendRequest,
        reply: SendReply,
    },
    React {
        id: String,
        emoji: String,
        reply: SendReply,
    },
    Edit {
        id: String,
        text: String,
        reply: SendReply,
    },
    Revoke {
        id: String,
        reply: SendReply,
    },
    Act {
        id: String,
        action: Action,
        reply: SendReply,
    },
    Read {
        id: String,
        reply: Reply,
    },
    /// Ring at somebody's devices; gives the call's id.
    Call {
        to: String,
        is_video: bool,
        reply: oneshot::Sender<Result<String, PhoneError>>,
    },
    /// Take, refuse or end a call.
    ActOnCall {
        id: String,
        action: CallAction,
        reply: Reply,
    },
    /// Change what the account keeps on all its devices.
    Keep {
        change: KeptChange,
        reply: Reply,
    },
    /// Give all that the account keeps.
    Kept {
        reply: oneshot::Sender<Result<Vec<KeptEntry>, PhoneError>>,
    },
    Typing {
        to: String,
        state: TypingState,
        reply: Reply,
    },
    Presence {
        is_available: bool,
        reply: Reply,
    },
    Offline {
        reply: Reply,
    },
    Online {
        reply: Reply,
    },
    Behave {
        behaviour: Behaviour,
        reply: Reply,
    },
    Behaviour {
        reply: oneshot::Sender<Behaviour>,
    },
    ForgetSessions {
        reply: Reply,
    },
    /// Have a past from now on.
    SetPast {
        past: Past,
        reply: Reply,
    },
    /// Ask the server something.
    Request {
        query: InfoQuery<'static>,
        reply: oneshot::Sender<Result<Node, PhoneError>>,
    },
    /// Begin what all devices keep in common, before a companion is linked.
    BeginAppState {
        reply: Reply,
    },
    /// A companion was linked; tell when it has been given keys and history.
    Serve {
        reply: Reply,
    },
    /// Tell when the companion behind a typed code answers.
    AwaitFinish {
        pairing_ref: Vec<u8>,
        finish: Finish,
        reply: Reply,
    },
    /// Get a token with which files can be uploaded.
    MediaAuth {
        reply: oneshot::Sender<Result<String, PhoneError>>,
    },
    /// So far has the phone come with the file of a message.
    FileFetched {
        id: String,
        state: MediaState,
    },
    /// A file that a companion asked for was uploaded again, or was not.
    FileUploaded {
        request: FileRequest,
        media_key: Vec<u8>,
        answer: Answer,
    },
    /// End the task; `is_erasing` deletes what the phone has stored.
    Stop {
        is_erasing: bool,
        reply: Reply,
    },
}
