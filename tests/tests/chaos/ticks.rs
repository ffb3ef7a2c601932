//! I6, F24-F27: schedulers die and all clocks are wrong. `grok2api-chaos --ticks 1000` is the long form.

use grok2api_tests::fleet::TickRun;

#[tokio::test(flavor = "multi_thread")]
async fn f27_each_tick_is_made_once_whoever_dies_and_whatever_the_clocks_say() {
    let outcome = TickRun { ticks: 60, schedulers: 3, seed: rand::random() }.run().await.unwrap();
    println!("{outcome}");
    assert!(!outcome.is_red(), "{outcome}");
    assert!(outcome.deaths > 0 && outcome.steps > 0 && outcome.own_steps > 0, "{outcome}");
}
