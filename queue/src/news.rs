//! Announcements: what happened to a job, told to whoever waits for it. They speed things up; the row is the truth.

use std::collections::HashMap;
use std::sync::Arc;

use grok2api_entity::job::{self, State};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A change of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// The job.
    pub job: Uuid,
    /// The request it belongs to.
    pub generation: Option<Uuid>,
    /// Its epoch after the change.
    pub epoch: i64,
    /// Percent, 0 to 100.
    pub progress: i32,
    /// Whether it came to its end.
    pub over: bool,
}

impl News {
    /// What is to be told about a job as it stands.
    pub fn of(job: &job::Model) -> Self {
        Self {
            job: job.id,
            generation: job.generation_id,
            epoch: job.epoch,
            progress: job.progress,
            over: is_over(job.state),
        }
    }
}

/// Whether a job of this state is at its end.
pub fn is_over(state: State) -> bool {
    matches!(state, State::Completed | State::Failed | State::Cancelled)
}

/// Passes news on within this process. Clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    watched: HashMap<Uuid, Watched>,
    running: HashMap<Uuid, Vec<Held>>,
    holds: u64,
}

#[derive(Debug)]
struct Watched {
    sender: watch::Sender<Option<News>>,
    watchers: usize,
}

#[derive(Debug)]
struct Held {
    serial: u64,
    epoch: i64,
    /// Whether the job was claimed; before that, its row says nothing about it.
    claimed: bool,
    stop: CancellationToken,
}

/// Waits for news of one job or request.
#[derive(Debug)]
pub struct Watching {
    id: Uuid,
    hub: Hub,
    receiver: watch::Receiver<Option<News>>,
}

/// A job that this process works on, or is about to claim. Until this is dropped, news of the job is heard.
#[derive(Debug)]
pub(crate) struct Hold {
    hub: Hub,
    job: Uuid,
    serial: u64,
}

impl Hub {
    /// Listens for news of a job, or of any job of a request. Subscribe first, read the row then.
    pub fn watch(&self, id: Uuid) -> Watching {
        let mut inner = self.inner.lock();
        let watched =
            inner.watched.entry(id).or_insert_with(|| Watched { sender: watch::channel(None).0, watchers: 0 });
        watched.watchers += 1;
        let receiver = watched.sender.subscribe();
        drop(inner);
        Watching { id, hub: self.clone(), receiver }
    }

    /// Passes news on to those of this process whom it concerns.
    pub fn tell(&self, news: News) {
        let inner = self.inner.lock();
        for id in [Some(news.job), news.generation].into_iter().flatten() {
            if let Some(watched) = inner.watched.get(&id) {
                watched.sender.send_replace(Some(news));
            }
        }
        for held in inner.running.get(&news.job).into_iter().flatten() {
            if news.epoch > held.epoch {
                // Somebody else has it, or nobody wants it any more: whatever we would write, is refused.
                held.stop.cancel();
            }
        }
    }

    /// Cancels `stop` when news says that the job has left this epoch.
    pub(crate) fn hold(&self, job: Uuid, epoch: i64, stop: CancellationToken) -> Hold {
        let mut inner = self.inner.lock();
        inner.holds += 1;
        let serial = inner.holds;
        inner.running.entry(job).or_default().push(Held { serial, epoch, claimed: false, stop });
        drop(inner);
        Hold { hub: self.clone(), job, serial }
    }

    /// Everything this process works on stops: it was taken for dead, others have its jobs.
    pub(crate) fn disown(&self) {
        for held in self.inner.lock().running.values().flatten() {
            held.stop.cancel();
        }
    }

    /// Whether a job is worked on here, in this epoch.
    pub(crate) fn is_held(&self, job: Uuid, epoch: i64) -> bool {
        self.inner.lock().running.get(&job).into_iter().flatten().any(|held| held.epoch == epoch)
    }

    /// The jobs that were claimed and are worked on here, with their epochs.
    pub(crate) fn claimed(&self) -> Vec<(Uuid, i64)> {
        let inner = self.inner.lock();
        let held = |(job, held): (&Uuid, &Vec<Held>)| {
            held.iter().filter(|held| held.claimed).map(|held| (*job, held.epoch)).collect::<Vec<_>>()
        };
        inner.running.iter().flat_map(held).collect()
    }

    /// What is worked on here in this epoch is no longer ours.
    pub(crate) fn stop(&self, job: Uuid, epoch: i64) {
        for held in self.inner.lock().running.get(&job).into_iter().flatten().filter(|held| held.epoch == epoch) {
            held.stop.cancel();
        }
    }

    /// Jobs that are worked on here.
    pub fn running(&self) -> usize {
        self.inner.lock().running.len()
    }

    /// Jobs and requests that somebody in this process waits for.
    pub fn watched(&self) -> usize {
        self.inner.lock().watched.len()
    }
}

impl Hold {
    /// The job was claimed.
    pub(crate) fn claimed(&self) {
        let mut inner = self.hub.inner.lock();
        for held in inner.running.get_mut(&self.job).into_iter().flatten().filter(|held| held.serial == self.serial) {
            held.claimed = true;
        }
    }
}

impl Watching {
    /// Waits for the next piece of news; several that came at once are one.
    pub async fn next(&mut self) -> Option<News> {
        if self.receiver.changed().await.is_err() {
            // The sender lives as long as this receiver is known to the hub.
            std::future::pending::<()>().await;
        }
        *self.receiver.borrow_and_update()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut inner = self.hub.inner.lock();
        if let Some(watched) = inner.watched.get_mut(&self.id) {
            watched.watchers -= 1;
            if watched.watchers == 0 {
                inner.watched.remove(&self.id);
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut inner = self.hub.inner.lock();
        if let Some(held) = inner.running.get_mut(&self.job) {
            held.retain(|held| held.serial != self.serial);
            if held.is_empty() {
                inner.running.remove(&self.job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(job: Uuid, epoch: i64) -> News {
        News { job, generation: None, epoch, progress: 5, over: false }
    }

    #[tokio::test]
    async fn watchers_hear_of_their_job_only_and_leave_nothing_behind() {
        let hub = Hub::default();
        let (mine, other) = (Uuid::now_v7(), Uuid::now_v7());
        let mut watching = hub.watch(mine);
        hub.tell(news(other, 1));
        hub.tell(news(mine, 2));
        assert_eq!(watching.next().await, Some(news(mine, 2)));
        drop(watching);
        assert_eq!(hub.watched(), 0);
    }

    #[test]
    fn many_that_leave_at_once_leave_nothing_behind() {
        let (hub, id) = (Hub::default(), Uuid::now_v7());
        let watching: Vec<Watching> = (0..64).map(|_| hub.watch(id)).collect();
        std::thread::scope(|scope| {
            for one in watching {
                scope.spawn(move || drop(one));
            }
        });
        assert_eq!(hub.watched(), 0);
    }

    #[test]
    fn i2_a_job_that_changed_hands_is_stopped_here() {
        let hub = Hub::default();
        let (job, stop) = (Uuid::now_v7(), CancellationToken::new());
        let hold = hub.hold(job, 3, stop.clone());
        hub.tell(news(job, 3));
        assert!(!stop.is_cancelled());
        hub.tell(news(job, 4));
        assert!(stop.is_cancelled());
        drop(hold);
        assert_eq!(hub.running(), 0);
    }

    #[test]
    fn a_ticket_that_came_twice_does_not_make_its_job_look_forgotten() {
        let (hub, job) = (Hub::default(), Uuid::now_v7());
        let first = hub.hold(job, 1, CancellationToken::new());
        drop(hub.hold(job, 1, CancellationToken::new()));
        assert!(hub.is_held(job, 1), "the first claim goes on");
        drop(first);
        assert!(!hub.is_held(job, 1));
    }
}
