//! Whole requests: counts, sums, order, and what the client is told.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::attachment::image::samples;
use crate::testing::{Served, response, serve};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grok2api_config::FetchConfig;

fn data_url(mime_type: &str, bytes: &[u8]) -> String {
    format!("data:{mime_type};base64,{}", STANDARD.encode(bytes))
}

/// A fetcher for servers on this machine.
fn lab(servers: &[&Served]) -> Fetcher {
    let allow_ports = servers.iter().map(|served| served.addr.port()).collect();
    let config =
        FetchConfig { allow_http: true, allow_private: true, allow_ports, timeout_ms: 5_000, max_bytes: 1 << 20 };
    Fetcher::new(&config).unwrap()
}

async fn resolve_all<T: AsRef<str>>(
    fetcher: &Fetcher,
    urls: &[T],
    limits: AttachmentLimits,
) -> Result<Vec<Attachment>, AttachmentError> {
    let images: Vec<_> = urls.iter().map(|url| ImageRef { url: url.as_ref() }).collect();
    resolve(fetcher, &images, limits).await
}

#[tokio::test]
async fn pictures_come_back_in_their_order_with_types_by_signature() {
    let server = serve("127.0.0.1", |seen| {
        let body = if seen.head.contains("/b") { samples::webp_lossy(5, 5) } else { samples::jpeg(6, 6) };
        response(200, &[("content-type", "image/png")], body)
    })
    .await;
    let urls = [
        data_url("image/png", &samples::png(3, 3)),
        server.url("/b"),
        format!(" {}\n", server.url("/c")),
        data_url("image/gif", &samples::gif(2, 2, 2)),
    ];
    let attachments = resolve_all(&lab(&[&server]), &urls, AttachmentLimits::default()).await.unwrap();
    let told: Vec<_> = attachments.iter().map(|a| (a.file_name.as_str(), a.mime_type)).collect();
    assert_eq!(
        told,
        [
            ("image.png", "image/png"),
            ("image.webp", "image/webp"),
            ("image.jpeg", "image/jpeg"),
            ("image.gif", "image/gif")
        ]
    );
    assert_eq!(attachments[1].bytes, samples::webp_lossy(5, 5));
    assert!(resolve_all::<&str>(&lab(&[]), &[], AttachmentLimits::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn m12_counts_are_capped_before_anything_is_fetched() {
    let server = serve("127.0.0.1", |_| response(200, &[], samples::png(1, 1))).await;
    let nine = vec![server.url("/"); 9];
    let error = resolve_all(&lab(&[&server]), &nine, AttachmentLimits::default()).await.unwrap_err();
    assert_eq!((error, error.code(), error.index()), (AttachmentError::TooMany { max: 8 }, "too_many_images", None));
    assert_eq!(server.connections(), 0);
    let limits = AttachmentLimits { max_images: 99, ..AttachmentLimits::default() };
    let eleven = vec![data_url("image/png", &samples::png(1, 1)); 11];
    assert_eq!(resolve_all(&lab(&[]), &eleven, limits).await, Err(AttachmentError::TooMany { max: 10 }));
    assert_eq!(resolve_all(&lab(&[]), &eleven[..10], limits).await.unwrap().len(), 10);
}

#[tokio::test]
async fn m12_the_sum_of_all_pictures_is_capped() {
    let picture = samples::png_of_bytes(400_000);
    let body = picture.clone();
    let server = serve("127.0.0.1", move |_| response(200, &[], body.clone())).await;
    let limits = AttachmentLimits { max_total_bytes: 1_000_000, max_fetches: 1, ..AttachmentLimits::default() };
    let urls = [server.url("/"), data_url("image/png", &picture), server.url("/")];
    let error = resolve_all(&lab(&[&server]), &urls, limits).await.unwrap_err();
    assert_eq!(error, AttachmentError::TotalTooLarge { index: 2, max_bytes: 1_000_000 });
    assert_eq!(error.code(), "image_too_large");
}

#[tokio::test]
async fn the_client_is_told_which_picture_and_why() {
    let page = serve("127.0.0.1", |_| response(200, &[("content-type", "image/png")], "<html><script>")).await;
    let good = data_url("image/png", &samples::png(1, 1));
    let huge = data_url("image/png", &samples::png(9_000, 9_000));
    let long = data_url("image/png", &samples::png_of_bytes(2 << 20));
    let wrong = data_url("image/gif", &samples::png(1, 1));
    for (url, code, text) in [
        ("picture.png", "invalid_image_url", "picture 2: neither an https address nor a base64 data URL"),
        ("data:image/png,x", "invalid_image_url", "picture 2: neither an https address nor a base64 data URL"),
        ("ftp://example.com/x", "invalid_image_url", "picture 2: neither an https address nor a base64 data URL"),
        (&wrong, "invalid_image", "picture 2: its content is not of the declared type"),
        (&page.url("/"), "invalid_image", "picture 2: not a PNG, JPEG, WebP or GIF picture"),
        (&long, "image_too_large", "picture 2: larger than 1048576 bytes"),
        (
            &huge,
            "image_too_large",
            "picture 2: the picture is larger than 8192 pixels a side or 40 megapixels, or has more than 100 frames",
        ),
    ] {
        let error = resolve_all(&lab(&[&page]), &[good.as_str(), url], AttachmentLimits::default()).await.unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str(), error.index()), (code, text, Some(1)));
    }
}

#[tokio::test]
async fn m8_all_network_causes_have_one_text() {
    let server = serve("127.0.0.1", |_| response(404, &[], "secret")).await;
    let strict = Fetcher::new(&FetchConfig { timeout_ms: 2_000, ..FetchConfig::default() }).unwrap();
    let lab = lab(&[&server]);
    let missing = server.url("/");
    for (fetcher, url) in [
        (&lab, missing.as_str()),
        (&strict, "https://127.0.0.1/"),
        (&strict, "https://169.254.169.254/latest/meta-data/"),
        (&strict, "https://localhost/"),
        (&strict, "http://example.com/"),
        (&strict, "https://user@example.com/"),
        (&strict, "https://[::1"),
        (&strict, "https://name..invalid/"),
    ] {
        let error = resolve_all(fetcher, &[url], AttachmentLimits::default()).await.unwrap_err();
        assert_eq!(error, AttachmentError::NotFetched { index: 0 }, "{url}");
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("invalid_image_url", "picture 1: the address could not be fetched")
        );
    }
}
