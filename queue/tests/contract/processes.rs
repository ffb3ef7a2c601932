//! Workers in processes of their own, which are killed and held up.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use grok2api_entity::audit::Note as Asked;
use grok2api_entity::job::{self, Kind, State, Step};
use grok2api_entity::worker;
use grok2api_queue::{Claimed, End, Lost, NewJob, Note, Wish};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::support::{Base, Ground, Party, Road, act, chaos, job, wait_for};

const KIND: Kind = Kind::GenerateVideo;
/// Says to this program, when it is started by itself, where its records and its Redis are.
const ROLE: &str = "GROK2API_TEST_WORKER";

/// What the jobs of these tests do, by their `args`.
async fn perform(job: &mut Claimed) -> Result<End, Lost> {
    let first = job.row().epoch == 1;
    match job.row().args.as_str() {
        "abort" => std::process::abort(),
        "abort after a while" => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            std::process::abort();
        }
        "take a second" => tokio::time::sleep(Duration::from_secs(1)).await,
        "hang once" if first => {
            job.note(Note { step: Some(Step::Submitted), ..Note::default() }).await?;
            std::future::pending::<()>().await;
        }
        // Goes on writing for as long as it may.
        "write on" if first => loop {
            job.note(Note { progress: Some(1), ..Note::default() }).await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        },
        "slow" => {
            job.note(Note { step: Some(Step::Sending), ..Note::default() }).await?;
            tokio::time::sleep(Duration::from_millis(30)).await;
            job.note(Note { step: Some(Step::Submitted), ..Note::default() }).await?;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        _ => {}
    }
    Ok(End::Completed)
}

/// A worker process.
struct Worker(Child);

impl Worker {
    async fn start(ground: &Ground) -> Self {
        let role = format!("{} {} {}", ground.place().await, ground.redis, ground.prefix);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::a_process_of_its_own_does_the_jobs", "--exact"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Starts one, and waits until it is among the workers.
    async fn enter(ground: &Ground) -> Self {
        let worker = Self::start(ground).await;
        wait_for("the worker to enter", async || !worker.rows(ground).await.is_empty()).await;
        worker
    }

    fn pid(&self) -> i64 {
        i64::from(self.0.id())
    }

    /// Its rows among the workers: the newest is its own, an older one was not buried yet.
    async fn rows(&self, ground: &Ground) -> Vec<worker::Model> {
        worker::Entity::find().filter(worker::Column::Pid.eq(self.pid())).all(ground.db()).await.unwrap()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Lets it end by itself: its input comes to an end.
    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Is a worker until nobody holds its input any more.
fn be_a_worker(role: &OsString) {
    let role = role.to_str().unwrap();
    let [place, redis, prefix] = role.split(' ').collect::<Vec<_>>()[..] else { panic!("{role}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let party = Party::open(place, Some(redis), prefix).await;
        let crew = party.crew(KIND, 2, act(|job| Box::pin(perform(job)))).await;
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
        crew.stop(Duration::from_secs(5)).await;
    });
}

fn doing(args: &str) -> NewJob {
    NewJob { args: args.to_owned(), ..job(KIND) }
}

async fn holder(ground: &Ground, row: &job::Model) -> Option<i64> {
    let worker = worker::Entity::find_by_id(row.holder?).one(ground.db()).await.unwrap();
    worker.map(|worker| worker.pid)
}

async fn is(party: &Party, id: Uuid, state: State) -> bool {
    party.row(id).await.state == state
}

/// Also what the workers of the other tests are: this program, started again.
#[test]
fn a_process_of_its_own_does_the_jobs() {
    if let Some(role) = std::env::var_os(ROLE) {
        return be_a_worker(&role);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ground = Ground::new(Base::Sqlite).await;
        let party = ground.party(Road::Redis).await;
        let worker = Worker::start(&ground).await;
        let ids: Vec<Uuid> =
            party.put((0..20).map(|_| doing("nothing")).collect()).await.iter().map(|t| t.id).collect();
        for id in ids {
            wait_for("the job to be done", async || is(&party, id, State::Completed).await).await;
        }
        worker.end();
        assert_eq!(worker::Entity::find().all(ground.db()).await.unwrap(), [], "it left when it ended");
        ground.end().await;
    });
}

#[tokio::test]
async fn f4_the_jobs_of_a_killed_worker_go_on_elsewhere() {
    let ground = Ground::new(Base::Postgres).await;
    let party = ground.party(Road::Redis).await;
    let mut workers = vec![Worker::enter(&ground).await, Worker::enter(&ground).await];
    let mut resumed = Vec::new();
    for _ in 0..chaos(2, 40) {
        let new = doing("hang once");
        let id = new.id;
        party.put(vec![new]).await;
        wait_for("it to be submitted", async || party.row(id).await.step == Step::Submitted).await;
        let pid = holder(&ground, &party.row(id).await).await.unwrap();
        let killed = workers.iter().position(|worker| worker.pid() == pid).unwrap();
        let at = Instant::now();
        workers.swap_remove(killed).kill();
        wait_for("it to be done elsewhere", async || is(&party, id, State::Completed).await).await;
        resumed.push(at.elapsed());
        let row = party.row(id).await;
        assert_eq!((row.crashes, row.epoch, row.step), (1, 4, Step::Submitted));
        workers.push(Worker::enter(&ground).await);
    }
    resumed.sort_unstable();
    eprintln!("done after its worker was killed: median {:?}, most {:?}", resumed[resumed.len() / 2], resumed.last());
    workers.into_iter().for_each(Worker::end);
    ground.end().await;
}

#[tokio::test]
async fn f4_the_job_of_a_worker_killed_during_a_pause_waits_for_its_end() {
    let ground = Ground::new(Base::Postgres).await;
    let party = ground.party(Road::Redis).await;
    let (killed, heir) = (Worker::enter(&ground).await, Worker::enter(&ground).await);
    let mut ids = vec![party.put(vec![doing("hang once")]).await[0].id];
    let first = ids[0];
    wait_for("it to be submitted", async || party.row(first).await.step == Step::Submitted).await;
    let note = || Asked {
        actor: "test".to_owned(),
        ip: String::new(),
        action: "queue.pause",
        target: String::new(),
        detail: serde_json::json!({}),
    };
    party.jobs.wish(KIND, Wish::Pause, &note()).await.unwrap();
    // Until both have heard it, some may be begun; of what comes later, none is.
    let mut seen = 0;
    wait_for("the pause to be heard", async || {
        ids.extend(party.put(vec![doing("nothing")]).await.iter().map(|ticket| ticket.id));
        let queued = party.count(State::Queued).await;
        let more = queued > seen;
        seen = queued;
        more && queued >= 30
    })
    .await;
    let pid = holder(&ground, &party.row(first).await).await.unwrap();
    let (killed, heir) = if killed.pid() == pid { (killed, heir) } else { (heir, killed) };
    killed.kill();
    wait_for("it to be free", async || is(&party, first, State::Queued).await).await;
    let waiting = party.count(State::Queued).await;
    ids.extend(party.put(vec![doing("nothing")]).await.iter().map(|ticket| ticket.id));
    let last = *ids.last().unwrap();
    assert_eq!((party.count(State::Queued).await, party.count(State::Running).await), (waiting + 1, 0));
    party.jobs.wish(KIND, Wish::Resume, &note()).await.unwrap();
    for id in ids {
        wait_for("all to be done", async || is(&party, id, State::Completed).await).await;
    }
    assert_eq!((party.row(first).await.crashes, party.row(last).await.epoch), (1, 2));
    heir.end();
    ground.end().await;
}

#[tokio::test]
async fn f8_a_worker_that_stood_still_writes_nothing_and_works_on_under_a_new_name() {
    let ground = Ground::new(Base::Postgres).await;
    let party = ground.party(Road::Redis).await;
    let zombie = Worker::enter(&ground).await;
    let name = zombie.rows(&ground).await[0].id;
    let new = doing("write on");
    let id = new.id;
    party.put(vec![new]).await;
    wait_for("it to write", async || party.row(id).await.progress == 1).await;
    zombie.signal("-STOP");
    let heir = Worker::enter(&ground).await;
    wait_for("it to be done elsewhere", async || is(&party, id, State::Completed).await).await;
    heir.end();
    let done = party.row(id).await;
    assert_eq!((done.epoch, done.crashes, done.progress), (4, 1, 100));
    zombie.signal("-CONT");
    wait_for("a new name", async || zombie.rows(&ground).await.iter().any(|row| row.id != name)).await;
    // It takes work again, and what it was stopped at is gone.
    let next = doing("nothing");
    let next_id = next.id;
    party.put(vec![next]).await;
    wait_for("the next to be done", async || is(&party, next_id, State::Completed).await).await;
    assert_eq!(party.row(id).await, done, "nothing was written over it");
    zombie.end();
    ground.end().await;
}

#[tokio::test]
async fn f9_a_job_that_kills_its_workers_is_given_up_and_others_are_done() {
    let ground = Ground::new(Base::Postgres).await;
    let party = ground.party(Road::Redis).await;
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(Worker::start(&ground).await);
    }
    let poison = doing("abort");
    let id = poison.id;
    party.put(vec![poison]).await;
    let mut others = Vec::new();
    wait_for("it to be given up", async || {
        others.push(party.jobs.submit(doing("nothing")).await.unwrap());
        is(&party, id, State::Failed).await
    })
    .await;
    let row = party.row(id).await;
    assert_eq!((row.error_code.as_deref(), row.crashes, row.epoch), (Some("job_crashed"), 3, 6));
    let done = party.count(State::Completed).await;
    assert!(done > 50, "the others went on meanwhile: {done} of {}", others.len());
    wait_for("the others to be done", async || party.count(State::Completed).await == others.len() as u64).await;
    let alive = workers.iter_mut().filter_map(|worker| worker.0.try_wait().unwrap().is_none().then_some(())).count();
    assert_eq!(alive, 1, "three died of it");
    drop(workers);
    ground.end().await;
}

#[tokio::test]
async fn f9_what_ran_beside_a_job_that_kills_its_workers_is_not_given_up_with_it() {
    let ground = Ground::new(Base::Postgres).await;
    let party = ground.party(Road::Redis).await;
    let [poison, beside] = [doing("abort after a while"), doing("take a second")];
    let ids = [poison.id, beside.id];
    party.put(vec![poison, beside]).await;
    // One worker at a time, with two hands: both jobs are in it when it dies.
    let mut worker = Worker::start(&ground).await;
    let mut died = 0;
    wait_for("both to be over", async || {
        if worker.0.try_wait().unwrap().is_some() {
            died += 1;
            worker = Worker::start(&ground).await;
        }
        is(&party, ids[0], State::Failed).await && is(&party, ids[1], State::Completed).await
    })
    .await;
    let rows = [party.row(ids[0]).await, party.row(ids[1]).await];
    assert_eq!((rows[0].error_code.as_deref(), rows[0].crashes), (Some("job_crashed"), 3));
    assert_eq!((rows[1].crashes, died), (2, 3), "it was there twice, and not a third time");
    worker.end();
    ground.end().await;
}

#[tokio::test]
async fn i1_whatever_is_killed_or_held_up_nothing_is_lost() {
    let seed: u64 = rand::rng().random();
    eprintln!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let ground = Ground::new(Base::Postgres).await;
    let party = ground.party(Road::Redis).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(Worker::enter(&ground).await);
    }
    let (count, hits) = (chaos(120, 5_000), chaos(3, 150));
    let mut accepted = 0;
    for _ in 0..hits {
        for _ in 0..count / hits {
            party.jobs.submit(doing("slow")).await.unwrap();
            accepted += 1;
        }
        let done = party.count(State::Completed).await;
        let some = u64::from(dice.random_range(1..10_u32));
        wait_for("some to be done", async || party.count(State::Completed).await >= (done + some).min(accepted)).await;
        let hit = workers.swap_remove(dice.random_range(0..workers.len()));
        match dice.random_range(0..3) {
            0 => {
                hit.signal("-STOP");
                // Who has no job at this moment is buried much later, and is not waited for.
                let names: Vec<Uuid> = hit.rows(&ground).await.iter().map(|row| row.id).collect();
                let of = job::Entity::find().filter(job::Column::Holder.is_in(names));
                let held = of.filter(job::Column::State.eq(State::Running));
                wait_for("its jobs to be taken over", async || held.clone().one(ground.db()).await.unwrap().is_none())
                    .await;
                hit.signal("-CONT");
                workers.push(hit);
            }
            1 => {
                hit.end();
                workers.push(Worker::enter(&ground).await);
            }
            _ => {
                hit.kill();
                workers.push(Worker::enter(&ground).await);
            }
        }
    }
    wait_for("all to be done", async || party.count(State::Queued).await + party.count(State::Running).await == 0)
        .await;
    // A job that was with all three workers when they were hit is given up, and says so (F9). Nothing else fails.
    let failed = job::Entity::find().filter(job::Column::State.eq(State::Failed)).all(ground.db()).await.unwrap();
    let unlucky = |row: &job::Model| row.error_code.as_deref() == Some("job_crashed") && row.crashes == 3;
    assert!(failed.iter().all(unlucky), "seed {seed}: {failed:?}");
    assert_eq!(party.count(State::Completed).await + failed.len() as u64, accepted, "seed {seed}");
    drop(workers);
    ground.end().await;
}
