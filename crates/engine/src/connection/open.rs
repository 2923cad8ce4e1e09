//! Opening and closing.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whatsapp_rust::Client;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::store::traits::Backend;
use whatsapp_rust::wacore::store::{DeviceCommand, DevicePropsOverride};

use super::attempt::Attempt;
use super::history::{self, HistoryIntake};
use super::hook::CommitFirst;
use super::observer::{Observer, Work};
use super::runtime::SessionRuntime;
use super::secrets::RecentSecrets;
use super::{Connection, Inner, Session, SessionOptions, supervisor};
use crate::acks::AckBook;
use crate::engine::Shared;
use crate::mailbox::{Events, mailbox};
use crate::transport::SessionTransport;
use crate::{EngineError, HistoryPart, InboundSink, caches};

/// Saves changed credentials at least this often; a change also saves at once.
const SAVE_INTERVAL: Duration = Duration::from_mins(5);
/// How long a farewell may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(15);

impl Connection {
    pub(crate) async fn open(
        engine: Arc<Shared>,
        backend: Arc<dyn Backend>,
        sink: Arc<dyn InboundSink>,
        options: SessionOptions,
    ) -> Result<(Self, Events), EngineError> {
        let (mailbox, events) = mailbox();
        let attempt = Arc::new(Attempt::default());
        let tasks = TaskTracker::new();
        let cancel = CancellationToken::new();

        let storage = PersistenceManager::new(backend)
            .await
            .map_err(|error| EngineError::Storage(error.into()))?;
        let storage = Arc::new(storage);
        // How the device looks matters when it is paired and never after.
        if storage.get_device_snapshot().pn.is_none() {
            let appearance = DevicePropsOverride::new().with_os(engine.device_name.clone());
            storage
                .process_command(DeviceCommand::SetDeviceProps(appearance))
                .await;
        }
        let (burst, per_minute) = caches::RESENDS;
        let intake = Arc::new(HistoryIntake::default());
        let build = Client::builder()
            .with_runtime(SessionRuntime {
                tasks: tasks.clone(),
                cancel: cancel.clone(),
                attempt: Arc::clone(&attempt),
            })
            .with_persistence_manager(storage)
            .with_transport_factory(SessionTransport {
                dialer: Arc::clone(&engine.dialer),
                mailbox: mailbox.clone(),
                attempt: Arc::clone(&attempt),
                cancel: cancel.clone(),
            })
            .with_http_client_arc(Arc::clone(&engine.http))
            .with_cache_config(caches::config())
            .with_inbound_durability_hook(CommitFirst {
                sink,
                history: Arc::clone(&intake),
                secrets: RecentSecrets::default(),
            })
            .with_skip_history_sync(!options.is_history_wanted)
            .with_wanted_pre_key_count(caches::PRE_KEYS_WANTED)
            .with_resend_rate_limit(burst, per_minute)
            .with_background_saver_interval(SAVE_INTERVAL)
            .build()
            .await
            .map_err(|error| EngineError::Storage(error.into()))?;
        let (client, announced) = build.into_parts();
        let (parts, waiting) = history::parts();
        intake.attach(announced, parts.clone());

        let acks = Arc::new(AckBook::default());
        let observer = Observer::new(
            &client,
            Arc::clone(&attempt),
            Arc::clone(&acks),
            mailbox.clone(),
            Work {
                tasks: tasks.clone(),
                cancel: cancel.clone(),
            },
        );
        client.subscribe_handler(Arc::new(observer)).detach();
        let reader = history::Reader {
            client: Arc::downgrade(&client),
            attempt: Arc::clone(&attempt),
            mailbox: mailbox.clone(),
            turns: engine.history.clone(),
        };
        let ended = cancel.clone();
        tasks.spawn(async move {
            ended.run_until_cancelled(reader.run(waiting)).await;
        });
        let session = Session {
            client,
            engine,
            attempt,
            acks,
            history: parts,
            mailbox,
            tasks,
            cancel,
            stop: CancellationToken::new(),
        };
        let inner = Inner {
            session: Arc::new(session),
        };
        let connection = Self {
            inner: Arc::new(inner),
        };
        Ok((connection, events))
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.inner.session
    }

    /// Begins to connect, and to pair where the session is not paired yet.
    /// To be called once; what happens then is told as events.
    pub fn start(&self) {
        let session = Arc::clone(self.session());
        let (tasks, cancel) = (session.tasks.clone(), session.cancel.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = supervisor::supervise(session) => {}
            }
        });
    }

    /// Goes on with parts of the history that an earlier process did not read to their ends.
    /// To be called before [`Self::start`], with the oldest first.
    pub fn resume_history(&self, parts: Vec<HistoryPart>) {
        for part in parts {
            self.session().history.add(part);
        }
    }

    /// Disconnects, waits until the session's tasks have ended, and lets go of
    /// its storage. The pairing stays. No `Ended` event is told.
    pub async fn close(&self) {
        let session = self.session();
        session.stop.cancel();
        session.say_goodbye().await;
        session.end_tasks().await;
    }

    /// As [`Self::close`], at once and without a farewell: for who has no right to the
    /// account any more. What was not stored yet is not stored.
    pub async fn cut_off(&self) {
        let session = self.session();
        session.stop.cancel();
        session.client.signal_shutdown_sync();
        session.end_tasks().await;
    }
}

impl Session {
    async fn end_tasks(&self) {
        self.cancel.cancel();
        self.acks.fail_all();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends the client for good, in bounded time.
    pub(super) async fn say_goodbye(&self) {
        let farewell = self.client.disconnect();
        if tokio::time::timeout(FAREWELL_TIMEOUT, farewell)
            .await
            .is_err()
        {
            tracing::warn!("the session did not close in time and is cut off");
        }
    }
}
