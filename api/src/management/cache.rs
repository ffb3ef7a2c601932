//! `/api/cache`: how much room pictures and videos take, and giving it up.

use grok2api_entity::audit;
use grok2api_entity::connect::begin_write;
use grok2api_media::{Shelf, Sizes};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::json;

use super::failure::Operation;
use crate::access::Admin;
use crate::error::ApiError;
use crate::state::AppState;
use crate::tags::Tag;

/// Room of pictures and videos.
pub(crate) struct CacheApi;

/// How much is stored.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct CacheSizeAnswer {
    /// `true`
    success: bool,
    /// The answer.
    data: CacheSize,
}

/// How much is stored, for people and in bytes.
#[derive(Debug, Default, PartialEq, Eq, Object)]
#[oai(read_only_all)]
struct CacheSize {
    /// Pictures, and the still pictures of videos: `12.5 KB`, or `MB` from 1 MiB on.
    image_size: String,
    /// Videos.
    video_size: String,
    /// Both.
    total_size: String,
    /// Pictures, and the still pictures of videos.
    image_size_bytes: u64,
    /// Videos.
    video_size_bytes: u64,
    /// Both.
    total_size_bytes: u64,
}

/// Everything was cleared.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct CacheClearedAnswer {
    /// `true`
    success: bool,
    /// How much it was, in Chinese.
    message: String,
    /// How much it was.
    data: CacheCleared,
}

/// Files that are here no more; they are fetched again when they are asked for.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct CacheCleared {
    /// All of them.
    #[oai(rename = "deleted_count")]
    all: u64,
    /// Pictures, and the still pictures of videos.
    #[oai(rename = "image_count")]
    images: u64,
    /// Videos.
    #[oai(rename = "video_count")]
    videos: u64,
}

/// Pictures or videos were cleared.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct ShelfClearedAnswer {
    /// `true`
    success: bool,
    /// How much it was, in Chinese.
    message: String,
    /// How much it was.
    data: ShelfCleared,
}

/// Files that are here no more; they are fetched again when they are asked for.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
struct ShelfCleared {
    /// How many.
    deleted_count: u64,
    /// `images` or `videos`.
    #[oai(rename = "type")]
    kind: String,
}

#[OpenApi(prefix_path = "/api/cache", tag = "Tag::Management")]
impl CacheApi {
    /// Tell how much room pictures and videos take.
    #[oai(path = "/size", method = "get", operation_id = "get_cache_size")]
    async fn size(&self, state: Data<&AppState>, _admin: Admin) -> Result<Json<CacheSizeAnswer>, ApiError> {
        let sizes = state.media.sizes().await.map_err(|error| Operation::CACHE_SIZE.failed(error))?;
        Ok(Json(CacheSizeAnswer { success: true, data: sizes.into() }))
    }

    /// Give up the files of all pictures and videos. They are fetched again when they are asked for.
    #[oai(path = "/clear", method = "post", operation_id = "clear_cache")]
    async fn clear(&self, state: Data<&AppState>, admin: Admin) -> Result<Json<CacheClearedAnswer>, ApiError> {
        let images = clear(&state, &admin, Shelf::Images, Operation::CACHE_CLEAR).await?;
        let videos = clear(&state, &admin, Shelf::Videos, Operation::CACHE_CLEAR).await?;
        let all = images + videos;
        Ok(Json(CacheClearedAnswer {
            success: true,
            message: format!("成功清理缓存，删除图片 {images} 个，视频 {videos} 个，共 {all} 个文件"),
            data: CacheCleared { all, images, videos },
        }))
    }

    /// Give up the files of all pictures. They are fetched again when they are asked for.
    #[oai(path = "/clear/images", method = "post", operation_id = "clear_image_cache")]
    async fn clear_images(&self, state: Data<&AppState>, admin: Admin) -> Result<Json<ShelfClearedAnswer>, ApiError> {
        let files = clear(&state, &admin, Shelf::Images, Operation::CLEAR_IMAGES).await?;
        let message = format!("成功清理图片缓存，删除 {files} 个文件");
        let data = ShelfCleared { deleted_count: files, kind: "images".to_owned() };
        Ok(Json(ShelfClearedAnswer { success: true, message, data }))
    }

    /// Give up the files of all videos. They are fetched again when they are asked for.
    #[oai(path = "/clear/videos", method = "post", operation_id = "clear_video_cache")]
    async fn clear_videos(&self, state: Data<&AppState>, admin: Admin) -> Result<Json<ShelfClearedAnswer>, ApiError> {
        let files = clear(&state, &admin, Shelf::Videos, Operation::CLEAR_VIDEOS).await?;
        let message = format!("成功清理视频缓存，删除 {files} 个文件");
        let data = ShelfCleared { deleted_count: files, kind: "videos".to_owned() };
        Ok(Json(ShelfClearedAnswer { success: true, message, data }))
    }
}

/// Who asks is noted first: files go one by one, and none goes without.
async fn clear(state: &AppState, admin: &Admin, shelf: Shelf, operation: Operation) -> Result<u64, ApiError> {
    let noted = async {
        let work = begin_write(&state.db).await?;
        audit::insert(&*work, &admin.note("cache.clear", format!("{shelf:?}").to_lowercase(), json!({}))).await?;
        work.commit().await
    };
    noted.await.map_err(|error| operation.failed(error))?;
    let cleared = state.media.clear(shelf).await.map_err(|error| operation.failed(error))?;
    tracing::info!(?shelf, files = cleared.files, bytes = cleared.bytes, "the operator cleared stored files");
    Ok(cleared.files)
}

impl From<Sizes> for CacheSize {
    fn from(sizes: Sizes) -> Self {
        let (images, videos) = (sizes.images.bytes, sizes.videos.bytes);
        Self {
            image_size: for_people(images),
            video_size: for_people(videos),
            total_size: for_people(images + videos),
            image_size_bytes: images,
            video_size_bytes: videos,
            total_size_bytes: images + videos,
        }
    }
}

/// Kilobytes below 1 MiB, otherwise megabytes, with one decimal.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn for_people(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    if bytes < 1 << 20 { format!("{kib:.1} KB") } else { format!("{:.1} MB", kib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_the_old_gateway_wrote_them() {
        for (bytes, text) in
            [(0, "0.0 KB"), (1536, "1.5 KB"), ((1 << 20) - 1, "1024.0 KB"), (1 << 20, "1.0 MB"), (1_258_291, "1.2 MB")]
        {
            assert_eq!(for_people(bytes), text);
        }
    }
}
