//! One suite for all transports, and what Redis alone can suffer.

use std::collections::HashSet;
use std::time::Duration;

use grok2api_entity::job::{Kind, State};
use grok2api_queue::{News, Ticket, now_ms};
use uuid::Uuid;

use crate::support::{Base, Ground, Road, in_time, job, job_in, raw_redis, wait_for};

const KIND: Kind = Kind::GenerateImage;

fn ids(tickets: &[Ticket]) -> Vec<Uuid> {
    tickets.iter().map(|ticket| ticket.id).collect()
}

async fn pushing_twice_is_pushing_once(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let tickets = party.put(vec![job(KIND), job(KIND)]).await;
    assert_eq!(party.transport.push(&tickets).await.unwrap(), 0, "nothing was new");
    assert_eq!(party.transport.depth(KIND).await.unwrap(), 2);
    assert_eq!(ids(&party.transport.take(KIND, 10).await.unwrap().tickets), ids(&tickets));
    assert_eq!(party.transport.take(KIND, 10).await.unwrap().tickets, []);
    ground.end().await;
}

async fn what_is_due_comes_in_its_order_and_once(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let new = vec![job_in(KIND, 60_000), job_in(KIND, -1_000), job_in(KIND, -3_000), job_in(KIND, -2_000)];
    let due = [new[2].id, new[3].id, new[1].id];
    party.put(new).await;
    party.put(vec![job(Kind::GenerateVideo)]).await;
    let first = party.transport.take(KIND, 2).await.unwrap();
    assert_eq!((ids(&first.tickets), first.next_due), (due[..2].to_vec(), Some(Duration::ZERO)), "one more is due");
    let second = party.transport.take(KIND, 2).await.unwrap();
    assert_eq!(ids(&second.tickets), due[2..]);
    let third = party.transport.take(KIND, 2).await.unwrap();
    assert_eq!(third.tickets, []);
    let until = third.next_due.unwrap();
    // Those that were taken come again soon, where it is not known what became of them.
    let least = if road == Road::Rows { Duration::from_secs(10) } else { Duration::ZERO };
    assert!(until > least && until <= Duration::from_secs(60), "{until:?}");
    assert_eq!(party.transport.take(Kind::GenerateVideo, 9).await.unwrap().tickets.len(), 1, "kinds are apart");
    ground.end().await;
}

async fn an_early_one_overtakes_what_was_read_ahead(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let new: Vec<_> = (0..5).map(|n| job_in(KIND, -1_000 + n)).collect();
    let in_line: Vec<Uuid> = new.iter().map(|new| new.id).collect();
    party.put(new).await;
    assert_eq!(ids(&party.transport.take(KIND, 1).await.unwrap().tickets), in_line[..1]);
    let early = party.put(vec![job_in(KIND, -5_000)]).await;
    assert_eq!(ids(&party.transport.take(KIND, 2).await.unwrap().tickets), [early[0].id, in_line[1]]);
    ground.end().await;
}

async fn a_delayed_one_comes_at_its_time(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let new = job_in(KIND, 400);
    let run_at = new.run_at;
    party.put(vec![new]).await;
    let first = party.transport.take(KIND, 1).await.unwrap();
    if now_ms() < run_at {
        assert_eq!(first.tickets, [], "too early");
        assert!(first.next_due.is_some_and(|until| until <= Duration::from_millis(400)), "{first:?}");
        wait_for("the delayed one", async || !party.transport.take(KIND, 1).await.unwrap().tickets.is_empty()).await;
        assert!(now_ms() >= run_at, "it came {} ms early", run_at - now_ms());
    }
    ground.end().await;
}

async fn a_cancelled_one_is_not_delivered(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let tickets = party.put(vec![job(KIND), job(KIND), job(KIND)]).await;
    assert_eq!(ids(&party.transport.take(KIND, 1).await.unwrap().tickets), [tickets[0].id]);
    let row = party.row(tickets[1].id).await;
    assert_eq!(party.jobs.cancel(&row).await.unwrap().unwrap().state, State::Cancelled);
    assert_eq!(ids(&party.transport.take(KIND, 9).await.unwrap().tickets), [tickets[2].id]);
    ground.end().await;
}

async fn many_that_take_at_once_get_each_ticket_once(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    party.put((0..300).map(|_| job(KIND)).collect()).await;
    let takers = (0..8).map(|_| async {
        let mut taken = Vec::new();
        loop {
            let more = party.transport.take(KIND, 7).await.unwrap();
            if more.tickets.is_empty() {
                return taken;
            }
            taken.extend(ids(&more.tickets));
        }
    });
    let taken: Vec<Uuid> = futures_util::future::join_all(takers).await.concat();
    assert_eq!(taken.len(), 300);
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 300, "each once");
    ground.end().await;
}

async fn a_ticket_rings_the_bell_of_its_kind(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let (image, video) = (party.transport.wake(KIND), party.transport.wake(Kind::GenerateVideo));
    // A fresh subscription rings all bells once.
    wait_for("the bell to ring", async || {
        party.put(vec![job(KIND)]).await;
        tokio::time::timeout(Duration::from_millis(100), image.notified()).await.is_ok()
    })
    .await;
    let _ = tokio::time::timeout(Duration::from_millis(50), video.notified()).await;
    party.put(vec![job(KIND)]).await;
    in_time("the bell", image.notified()).await;
    let other = tokio::time::timeout(Duration::from_millis(50), video.notified()).await;
    assert!(other.is_err(), "the other kind's bell must not ring");
    ground.end().await;
}

async fn news_reach_this_process(road: Road) {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(road).await;
    let news = News { job: Uuid::now_v7(), generation: Some(Uuid::now_v7()), epoch: 4, progress: 30, over: false };
    let (mut of_job, mut of_request) = (party.hub.watch(news.job), party.hub.watch(news.generation.unwrap()));
    party.transport.announce(&[news]).await;
    assert_eq!(in_time("news of the job", of_job.next()).await, Some(news));
    assert_eq!(in_time("news of the request", of_request.next()).await, Some(news));
    drop((of_job, of_request));
    assert_eq!(party.hub.watched(), 0);
    ground.end().await;
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod by_rows { $(#[tokio::test] async fn $name() { super::$name(super::Road::Rows).await; })* }
        mod by_redis { $(#[tokio::test] async fn $name() { super::$name(super::Road::Redis).await; })* }
    };
}

on_both!(
    pushing_twice_is_pushing_once,
    what_is_due_comes_in_its_order_and_once,
    an_early_one_overtakes_what_was_read_ahead,
    a_delayed_one_comes_at_its_time,
    a_cancelled_one_is_not_delivered,
    many_that_take_at_once_get_each_ticket_once,
    a_ticket_rings_the_bell_of_its_kind,
    news_reach_this_process,
);

#[tokio::test]
async fn tickets_and_news_reach_another_process_through_redis() {
    let ground = Ground::new(Base::Sqlite).await;
    let (here, there) = (ground.party(Road::Redis).await, ground.party(Road::Redis).await);
    let bell = there.transport.wake(KIND);
    wait_for("the other's bell", async || {
        here.put(vec![job(KIND)]).await;
        tokio::time::timeout(Duration::from_millis(100), bell.notified()).await.is_ok()
    })
    .await;
    let job = Uuid::now_v7();
    let mut watching = there.hub.watch(job);
    for epoch in 1..=2_000 {
        here.transport.announce(&[News { job, generation: None, epoch, progress: 1, over: epoch == 2_000 }]).await;
    }
    let mut last = 0;
    while last < 2_000 {
        let news = in_time("the other's news", watching.next()).await.unwrap();
        assert!(news.epoch > last, "news keep their order");
        last = news.epoch;
    }
    ground.end().await;
}

#[tokio::test]
async fn f34_what_is_not_ours_in_a_set_harms_nobody() {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(Road::Redis).await;
    let key = format!("{}:due:{}", ground.prefix, KIND.as_str());
    let mut redis = raw_redis(&ground.redis).await;
    let foreign: [(&str, &[u8]); 5] =
        [("1", b"hello"), ("-inf", b"{\"job\":1}"), ("2.5", b"\xff\xfe"), ("1e300", b"late"), ("inf", b"later")];
    for (score, value) in foreign {
        redis::cmd("ZADD").arg(&key).arg(score).arg(value).exec_async(&mut redis).await.unwrap();
    }
    let tickets = party.put(vec![job(KIND)]).await;
    let mut taken = Vec::new();
    wait_for("the ticket among them", async || {
        taken.extend(party.transport.take(KIND, 1).await.unwrap().tickets);
        !taken.is_empty()
    })
    .await;
    assert_eq!(ids(&taken), ids(&tickets));
    assert_eq!(party.transport.take(KIND, 9).await.unwrap().tickets, []);
    ground.end().await;
}

#[tokio::test]
async fn f34_a_key_of_the_wrong_type_troubles_its_own_kind_alone() {
    let ground = Ground::new(Base::Sqlite).await;
    let party = ground.party(Road::Redis).await;
    let mut redis = raw_redis(&ground.redis).await;
    let key = format!("{}:due:{}", ground.prefix, KIND.as_str());
    redis::cmd("SET").arg(&key).arg("oops").exec_async(&mut redis).await.unwrap();
    let image = party.jobs.submit(job(KIND)).await.unwrap();
    let (video, cache) = (job(Kind::GenerateVideo), job(Kind::CacheMedia));
    let others = [party.jobs.submit(video).await.unwrap(), party.jobs.submit(cache).await.unwrap()];
    let stub = |id| Ticket { kind: KIND, id, epoch: 0, run_at: 0 };
    for (kind, id) in [(Kind::GenerateVideo, others[0]), (Kind::CacheMedia, others[1])] {
        assert_eq!(ids(&party.transport.take(kind, 9).await.unwrap().tickets), [id]);
        // One call that names them all still delivers the others.
        let ticket = Ticket { kind, ..stub(id) };
        assert!(party.transport.give_back(&[stub(image), ticket]).await.is_err(), "the failure is not hidden");
        assert_eq!(ids(&party.transport.take(kind, 9).await.unwrap().tickets), [id]);
    }
    let found = party.transport.take(KIND, 9).await.unwrap();
    assert_eq!(ids(&found.tickets), [image], "its own kind is found in the rows");
    ground.end().await;
}
