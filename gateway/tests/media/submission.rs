//! One paid call: what is told before it leaves, when another account may be tried, and what is known when it fails.

use std::time::Duration;

use grok2api_gateway::GatewayError;
use grok2api_gateway::media::MediaKind;
use grok2api_gateway::pool::Status;
use grok2api_gateway::upstream::error::{Delivery, ErrorKind};
use grok2api_sim::{Script, Sim};

use crate::house::{House, Notes, request};

const LONG: Duration = Duration::from_secs(10);

/// The second account, which has no fault.
const SOUND: &str = "zoe";

struct Tried {
    steps: Vec<String>,
    outcome: Result<(), GatewayError>,
    calls_of_the_second: u64,
    house: House,
}

/// Submits a request to an account with a fault and a sound one.
async fn tried(fault: &str, kind: MediaKind) -> Tried {
    let faulty = format!("ann.fault-{fault}");
    let waits_for_its_limit = fault == "silent" || fault.starts_with("stall");
    let short = |settings: &mut grok2api_config::Settings| {
        if waits_for_its_limit {
            settings.image.total_timeout = 1;
            settings.video.total_timeout = 1;
        }
    };
    let house = House::changed(&[&faulty, SOUND], short).await;
    let notes = Notes::of(&house);
    let outcome = match house.submit(&request(kind, "a kite"), &notes).await {
        Ok(mut stream) => stream.run_to_end().await.map_err(GatewayError::from),
        Err(error) => Err(error),
    };
    let steps = notes.steps().into_iter().map(|step| step.replace(&faulty, "ann")).collect();
    let calls_of_the_second = house.sim.account(SOUND).calls;
    Tried { steps, outcome, calls_of_the_second, house }
}

#[tokio::test]
async fn i3_a_call_is_announced_before_it_leaves_and_named_as_soon_as_it_is_answered() {
    let house = House::with(&["ann"]).await;
    let notes = Notes::of(&house);
    let slow = request(MediaKind::Video, "waves media:steps=3,gap_ms=200");
    let mut stream = house.submit(&slow, &notes).await.unwrap();
    assert_eq!(notes.steps(), ["sending 1 ann"]);
    let name = stream.upstream_id().unwrap().to_owned();
    assert!(!name.is_empty());
    assert_eq!(stream.sink_mut().videos.len(), 0, "long before the video");
    stream.run_to_end().await.unwrap();
    assert_eq!(stream.upstream_id(), Some(name.as_str()), "and after the end");
    assert_eq!((house.sim.creates().creates, house.leases()), (1, 0));
    assert_eq!((stream.facts().attempts, notes.steps().len()), (1, 1));
}

#[tokio::test]
async fn i3_another_account_is_tried_when_the_first_proves_to_have_taken_nothing() {
    for (fault, kind, outcome) in [
        ("429", MediaKind::ImageGenerate, "rate_limited"),
        ("401", MediaKind::ImageGenerate, "account_invalid"),
        ("401marker", MediaKind::Video, "account_invalid"),
        ("403", MediaKind::ImageGenerate, "upstream_blocked"),
        ("404", MediaKind::Video, "upstream_error"),
        ("errorline:8", MediaKind::ImageGenerate, "rate_limited"),
        ("errorline:16", MediaKind::Video, "account_invalid"),
    ] {
        let tried = tried(fault, kind).await;
        assert!(tried.outcome.is_ok(), "{fault}: {:?}", tried.outcome);
        let settled = format!("settled 1 ann: {outcome}");
        assert_eq!(tried.steps, ["sending 1 ann", settled.as_str(), "sending 2 zoe"], "{fault}");
        assert_eq!((tried.house.sim.creates().creates, tried.house.leases()), (1, 0), "{fault}");
    }
}

#[tokio::test]
async fn i3_a_picture_that_cannot_be_uploaded_costs_nothing() {
    for fault in ["upload-500", "upload-429", "upload-close"] {
        let tried = tried(fault, MediaKind::ImageEdit).await;
        assert!(tried.outcome.is_ok(), "{fault}: {:?}", tried.outcome);
        assert!(tried.steps[0].starts_with("settled 1 ann: "), "{fault}: {:?}", tried.steps);
        assert_eq!((tried.steps[1].as_str(), tried.steps.len()), ("sending 2 zoe", 2), "{fault}");
        assert_eq!(tried.house.sim.account(&format!("ann.fault-{fault}")).calls, 0, "{fault}");
    }
}

#[tokio::test]
async fn i3_whatever_may_have_been_taken_is_not_tried_again() {
    for (fault, kind) in [
        ("500", "upstream_error"),
        ("502", "upstream_error"),
        ("503", "upstream_overloaded"),
        ("503html", "upstream_blocked"),
        ("empty", "upstream_empty"),
        ("html200", "upstream_not_stream"),
        ("garbage", "upstream_not_stream"),
        ("errorline:13", "upstream_error"),
    ] {
        let tried = tried(fault, MediaKind::ImageGenerate).await;
        let error = tried.outcome.unwrap_err();
        assert!(matches!(error, GatewayError::Upstream(_)) && !error.nothing_accepted(), "{fault}: {error:?}");
        assert_eq!(error.kind(), kind, "{fault}");
        assert_eq!(tried.steps, ["sending 1 ann"], "{fault}: nobody who takes over may think that it was not taken");
        assert_eq!((tried.calls_of_the_second, tried.house.leases()), (0, 0), "{fault}");
    }
}

#[tokio::test]
async fn i3_an_answer_that_breaks_off_is_not_asked_for_again() {
    for fault in ["cut:6", "noend:6", "errormid:6", "stall:6", "moderated", "nomodel", "overload"] {
        let tried = tried(fault, MediaKind::Video).await;
        let error = tried.outcome.unwrap_err();
        assert!(
            matches!(&error, GatewayError::Upstream(error) if error.delivery == Delivery::Answered),
            "{fault}: {error:?}"
        );
        assert!(!error.nothing_accepted(), "{fault}");
        assert_eq!((tried.steps[0].as_str(), tried.calls_of_the_second), ("sending 1 ann", 0), "{fault}");
        assert_eq!(tried.house.leases(), 0, "{fault}");
    }
}

#[tokio::test]
async fn f3_no_word_at_all_leaves_the_outcome_unknown() {
    for (fault, kind) in [("close", ErrorKind::Interrupted), ("silent", ErrorKind::Timeout)] {
        let tried = tried(fault, MediaKind::ImageGenerate).await;
        let error = tried.outcome.unwrap_err();
        assert!(matches!(&error, GatewayError::OutcomeUnknown(error) if error.kind == kind), "{fault}: {error:?}");
        assert!(!error.nothing_accepted() && error.kind() == "upstream_outcome_unknown", "{fault}");
        assert_eq!(
            (tried.steps.as_slice(), tried.calls_of_the_second),
            (&["sending 1 ann".to_owned()][..], 0),
            "{fault}"
        );
        // It may have counted upstream, so it counts here until the next reading.
        assert_eq!(tried.house.left(&format!("ann.fault-{fault}"), "grok-3"), 76, "{fault}");
    }
}

#[tokio::test]
async fn i3_who_cannot_be_reached_has_taken_nothing() {
    let sim = Sim::builder().start("127.0.0.1:0").await.unwrap();
    let house = House::before(sim, "http://127.0.0.1:9", &["ann", "bob", "cyd"], |_| ());
    let notes = Notes::of(&house);
    let error = house.submit(&request(MediaKind::ImageGenerate, "a kite"), &notes).await.unwrap_err();
    assert!(matches!(&error, GatewayError::Upstream(error) if error.kind == ErrorKind::Unreachable), "{error:?}");
    assert!(error.nothing_accepted());
    let unreachable = |attempt: u32, name: &str| {
        [format!("sending {attempt} {name}"), format!("settled {attempt} {name}: upstream_unreachable")]
    };
    assert_eq!(
        notes.steps(),
        [unreachable(1, "ann"), unreachable(2, "bob")].concat(),
        "general trouble: one repeat (I5)"
    );
    assert_eq!(house.left("ann", "grok-3"), 80);
}

#[tokio::test]
async fn a_request_that_nobody_could_serve_is_not_tried_on_others_and_may_be_mended() {
    let tried = tried("400", MediaKind::ImageGenerate).await;
    let error = tried.outcome.unwrap_err();
    assert_eq!((error.kind(), error.nothing_accepted()), ("invalid_request", true));
    assert_eq!(tried.steps, ["sending 1 ann", "settled 1 ann: invalid_request"]);
    assert_eq!(tried.calls_of_the_second, 0);
}

#[tokio::test]
async fn nobody_left_means_that_nothing_was_taken() {
    let house = House::with(&["ann.fault-429:7"]).await;
    let notes = Notes::of(&house);
    let error = house.submit(&request(MediaKind::Video, "waves"), &notes).await.unwrap_err();
    assert_eq!((error.kind(), error.nothing_accepted()), ("rate_limited", true));
    assert_eq!(notes.steps().len(), 2);
    let again = house.submit(&request(MediaKind::Video, "waves"), &notes).await.unwrap_err();
    assert!(matches!(&again, GatewayError::AccountsLimited { .. }) && again.nothing_accepted(), "{again:?}");
    assert_eq!(house.sim.creates().creates, 0);
}

#[tokio::test]
async fn j14_one_submission_penalises_one_account_at_most() {
    let (ann, bob) = ("ann.fault-flaky429:9", "bob.fault-flaky429:9");
    let house = House::with(&[ann, bob, "cyd"]).await;
    let mut stream = house.submit(&request(MediaKind::Video, "waves"), &Notes::of(&house)).await.unwrap();
    stream.run_to_end().await.unwrap();
    let rests = |name: &str| {
        let (seed, _) = house.gateway.pool().state().inspect(house.id(name)).unwrap();
        seed.budgets.iter().any(|budget| budget.cooling_until_ms.is_some())
    };
    assert_eq!((stream.facts().attempts, rests(ann), rests(bob), rests("cyd")), (3, true, false, false));
}

#[tokio::test]
async fn a_caller_that_wants_no_more_sends_nothing_and_blames_nobody() {
    let house = House::with(&["ann", "bob"]).await;
    let notes = Notes::stopping_at(&house, "sending");
    let error = house.submit(&request(MediaKind::ImageEdit, "bluer"), &notes).await.unwrap_err();
    assert!(matches!(error, GatewayError::Stopped));
    assert_eq!((house.sim.account("ann").uploads, house.sim.total_calls()), (1, 0));
    assert_eq!((house.leases(), house.left("ann", "grok-3")), (0, 80));
    let (seed, _) = house.gateway.pool().state().inspect(house.id("ann")).unwrap();
    assert_eq!((seed.status, seed.failed_count), (Status::Active, 0));
}

#[tokio::test]
async fn a_caller_that_wants_no_more_after_a_failure_tries_no_other_account() {
    let house = House::with(&["ann.fault-429", "bob"]).await;
    let notes = Notes::stopping_at(&house, "settled");
    let error = house.submit(&request(MediaKind::Video, "waves"), &notes).await.unwrap_err();
    assert!(matches!(error, GatewayError::Stopped) && error.nothing_accepted());
    assert_eq!((notes.steps().len(), house.sim.account("bob").calls), (2, 0));
}

#[tokio::test]
async fn j8_a_submission_that_is_dropped_is_cancelled_upstream_and_frees_the_account() {
    let house = House::with(&["ann"]).await;
    let stream = house.submit(&request(MediaKind::Video, "waves media:stall"), &Notes::of(&house)).await.unwrap();
    assert_eq!(house.leases(), 1);
    drop(stream);
    assert_eq!(house.leases(), 0);
    assert!(house.sim.wait_until(LONG, |sim| sim.cancelled() == 1 && sim.running() == 0).await);
}

#[tokio::test]
async fn f52_a_video_that_never_ends_is_given_up_as_a_timeout() {
    let house = House::changed(&["ann"], |settings| settings.video.total_timeout = 1).await;
    let mut stream = house.submit(&request(MediaKind::Video, "waves media:stall"), &Notes::of(&house)).await.unwrap();
    let error = stream.run_to_end().await.unwrap_err();
    assert_eq!((error.kind, error.delivery), (ErrorKind::Timeout, Delivery::Answered));
    assert!(stream.upstream_id().is_some());
    assert_eq!((house.leases(), house.sim.creates().creates), (0, 1));
}

#[tokio::test]
async fn a_chat_may_still_be_tried_again_after_trouble_of_any_kind() {
    let house = House::with(&["ann", "bob"]).await;
    house.sim.script(Script::close());
    let prepared = house.gateway.prepare_media(&request(MediaKind::ImageGenerate, "a kite")).unwrap();
    let sink = grok2api_gateway::upstream::collect::Collector::default();
    let mut stream = house.gateway.start(&prepared, sink).await.unwrap();
    stream.run_to_end().await.unwrap();
    assert_eq!(stream.facts().attempts, 2);
}
