//! Twenty simulated hours of a pool that looks after itself.

use grok2api_tests::days::Days;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_after_twenty_hours_every_account_whose_window_passed_serves_again() {
    let days = Days { accounts: 300, hours: 20, step_minutes: 10, batch: 40, seed: 7 };
    let fates = days.run().await.unwrap();
    assert!(!fates.is_red(), "{fates}");
    assert!(fates.exhausted > 150 && fates.measured > 150, "{fates}");
}
