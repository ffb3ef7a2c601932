//! A result, fetched with the credential of the account that made it.

use grok2api_gateway::media::MediaKind;
use grok2api_gateway::pool::AccountId;
use grok2api_gateway::upstream::asset::normalize;
use grok2api_gateway::upstream::client::Download;
use grok2api_gateway::upstream::error::{ErrorKind, UpstreamError};

use crate::house::{House, Notes, request};

impl House {
    async fn download(&self, path: &str, account: &str) -> Result<Download, UpstreamError> {
        let credential = self.gateway.pool().credential(self.id(account)).unwrap();
        let path = normalize(self.gateway.asset_hosts(), path).unwrap();
        self.gateway.upstream().download(&credential, &path, &self.gateway.settings().snapshot()).await
    }

    async fn read(&self, path: &str, account: &str) -> Result<Vec<u8>, UpstreamError> {
        let mut file = self.download(path, account).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = file.next_piece().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

#[tokio::test]
async fn a_result_is_fetched_with_its_accounts_credential_and_no_other() {
    let house = House::with(&["ann", "bob"]).await;
    let notes = Notes::of(&house);
    let mut stream = house.submit(&request(MediaKind::Video, "waves media:mib=5"), &notes).await.unwrap();
    stream.run_to_end().await.unwrap();
    let account = stream.facts().account.unwrap();
    assert_eq!((account, house.leases()), (house.id("ann"), 0));
    let video = stream.into_sink().videos.remove(0);
    let file = house.download(&video, "ann").await.unwrap();
    assert_eq!(file.declared_bytes(), Some(5 << 20));
    assert_eq!(house.leases(), 0, "a download takes nothing of the account");
    let bytes = house.read(&video, "ann").await.unwrap();
    assert_eq!((bytes.len(), &bytes[4..8]), (5 << 20, &b"ftyp"[..]));
    assert_eq!(house.read(&video, "bob").await.unwrap_err().kind, ErrorKind::Blocked);
    assert_eq!(house.sim.foreign_downloads(), 1);
}

#[tokio::test]
async fn a_new_file_may_be_missing_and_a_cut_one_is_never_whole() {
    let house = House::with(&["ann.fault-asset-fresh:1", "bob.fault-asset-cut:3"]).await;
    let picture = house.collect(&request(MediaKind::ImageGenerate, "a kite")).await.images.remove(0);
    let account = "ann.fault-asset-fresh:1";
    assert_eq!(house.read(&picture, account).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(house.read(&picture, account).await.unwrap().starts_with(b"\xff\xd8\xff"));
    house.sim.set_faults(account, &["asset-cut:3"]);
    assert_eq!(house.read(&picture, account).await.unwrap_err().kind, ErrorKind::Interrupted);
    house.sim.set_faults(account, &["asset-redirect"]);
    assert_eq!(house.read(&picture, account).await.unwrap_err().kind, ErrorKind::Error);
    assert_eq!(house.sim.leaked_credentials(), 0, "C7: a redirect is not followed");
}

#[tokio::test]
async fn an_account_that_is_gone_has_no_credential() {
    let house = House::with(&["ann"]).await;
    assert!(house.gateway.pool().credential(AccountId::from_u128(99)).is_none());
    house.gateway.pool().state().remove(house.id("ann"));
    assert!(house.gateway.pool().credential(house.id("ann")).is_none());
}
