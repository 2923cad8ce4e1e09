//! A gateway that answers as a test tells it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use wagate_cluster::{
    CommandHandler, CommandReply, CommandResult, Refusal, SessionAction, SessionCommand,
};

type Script = Box<dyn FnMut(&SessionAction) -> CommandResult + Send>;

/// A gateway that answers as told and notes what it was asked.
pub(crate) struct ScriptedGateway {
    script: Mutex<Script>,
    /// Who answers in the place of the script.
    deputy: Mutex<Option<Arc<dyn CommandHandler>>>,
    asked: Mutex<Vec<SessionCommand>>,
}

impl ScriptedGateway {
    /// A gateway that does whatever it is asked.
    pub(crate) fn new() -> Self {
        Self {
            script: Mutex::new(Box::new(|_| Ok(CommandReply::Done))),
            deputy: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    pub(crate) fn answer(
        &self,
        script: impl FnMut(&SessionAction) -> CommandResult + Send + 'static,
    ) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(script);
    }

    /// Has something else answer from now on.
    pub(crate) fn hand_over(&self, deputy: Arc<dyn CommandHandler>) {
        *self.deputy.lock().unwrap() = Some(deputy);
    }

    /// The names of the commands since the last question.
    pub(crate) fn asked(&self) -> Vec<&'static str> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.iter().map(|command| command.action.name()).collect()
    }

    pub(crate) fn last(&self) -> SessionCommand {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

#[async_trait]
impl CommandHandler for ScriptedGateway {
    async fn handle(
        &self,
        command: SessionCommand,
        deadline: tokio::time::Instant,
    ) -> CommandResult {
        self.asked.lock().unwrap().push(command.clone());
        let deputy = self.deputy.lock().unwrap().clone();
        if let Some(deputy) = deputy {
            return deputy.handle(command, deadline).await;
        }
        // A script may panic, as a gateway may.
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script(&command.action)
    }
}

/// A gateway's answer that refuses.
pub(crate) fn refuse(refusal: Refusal) -> impl FnMut(&SessionAction) -> CommandResult + Send {
    move |_| Err(refusal.clone())
}
