//! Failures under the old gateway's names.

use poem::http::StatusCode;

use crate::error::ApiError;

/// What the old gateway calls an operation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operation {
    code: &'static str,
    what: &'static str,
}

impl Operation {
    pub(super) const LIST: Self = Self::new("LIST_ERROR", "获取Token列表失败");
    pub(super) const ADD: Self = Self::new("ADD_ERROR", "添加Token失败");
    pub(super) const DELETE: Self = Self::new("DELETE_ERROR", "删除Token失败");
    pub(super) const UPDATE_TAGS: Self = Self::new("UPDATE_TAGS_ERROR", "更新标签失败");
    pub(super) const GET_TAGS: Self = Self::new("GET_TAGS_ERROR", "获取标签失败");
    pub(super) const UPDATE_NOTE: Self = Self::new("UPDATE_NOTE_ERROR", "更新备注失败");
    pub(super) const TEST_TOKEN: Self = Self::new("TEST_TOKEN_ERROR", "测试Token失败");
    pub(super) const GET_SETTINGS: Self = Self::new("GET_SETTINGS_ERROR", "获取配置失败");
    pub(super) const UPDATE_SETTINGS: Self = Self::new("UPDATE_SETTINGS_ERROR", "更新配置失败");
    pub(super) const CACHE_SIZE: Self = Self::new("CACHE_SIZE_ERROR", "获取缓存大小失败");
    pub(super) const CACHE_CLEAR: Self = Self::new("CACHE_CLEAR_ERROR", "清理缓存失败");
    pub(super) const CLEAR_IMAGES: Self = Self::new("IMAGE_CACHE_CLEAR_ERROR", "清理图片缓存失败");
    pub(super) const CLEAR_VIDEOS: Self = Self::new("VIDEO_CACHE_CLEAR_ERROR", "清理视频缓存失败");
    pub(super) const STATS: Self = Self::new("STATS_ERROR", "获取统计信息失败");

    const fn new(code: &'static str, what: &'static str) -> Self {
        Self { code, what }
    }

    /// 500 for a reason that the caller may know.
    pub(super) fn because(self, reason: &str) -> ApiError {
        let message = format!("{}: {reason}", self.what);
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", self.code, message)
    }

    /// A failure inside, under its name here. Where waiting helps it stays 503 and says for how long.
    pub(super) fn failed(self, error: impl Into<ApiError>) -> ApiError {
        let inside = error.into();
        let mut named = self.because(&inside.body.message);
        (named.status, named.retry_after) = (inside.status, inside.retry_after);
        named
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{DbErr, RuntimeErr};

    use super::*;

    #[test]
    fn f35_a_failure_has_its_old_name_and_says_whether_waiting_helps() {
        let away = Operation::STATS.failed(DbErr::Conn(RuntimeErr::Internal("canary".to_owned())));
        assert_eq!((away.status, away.label), (StatusCode::SERVICE_UNAVAILABLE, "STATS_ERROR"));
        assert!(away.retry_after.is_some() && away.body.message.starts_with("获取统计信息失败: "));
        let fault = Operation::LIST.failed(DbErr::Custom("canary".to_owned()));
        assert_eq!((fault.status, fault.label), (StatusCode::INTERNAL_SERVER_ERROR, "LIST_ERROR"));
        assert!(!format!("{away:?}{fault:?}").contains("canary"));
    }
}
