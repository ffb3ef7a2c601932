//! The shapes of a line, as far as we read them (protocol page "grok-web" §5).

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::lenient::{self, Flag, List, Number, Object, Present, Text, lenient_object};
use crate::classify::ErrorObject;

/// Pictures read from one list.
const MAX_LISTED_IMAGES: usize = 256;
/// Search results read from one list.
const MAX_RESULTS: usize = 1024;

lenient_object! {
    /// One JSON object of the stream.
    struct Record<'a> {
        "result" => result: Outcome<'a>,
        "error" => error: Option<Box<ErrorObject<'a>>>,
    }
}

lenient_object! {
    /// The `result` member: a conversation header, events of the answer, or a title.
    struct Outcome<'a> {
        "response" => response: Response<'a>,
        "conversation" => conversation: Object<Box<Conversation<'a>>>,
        "title" => title: Object<Box<Title<'a>>>,
    }
}

lenient_object! {
    /// The header of the stream.
    struct Conversation<'a> {
        "conversationId" => id: Text<'a>,
    }
}

lenient_object! {
    /// A generated title.
    struct Title<'a> {
        "newTitle" => new_title: Text<'a>,
    }
}

lenient_object! {
    /// Events of the answer. One object can hold several at once.
    struct Response<'a> {
        "token" => token: Text<'a>,
        "isThinking" => thinking: Flag,
        "isSoftStop" => soft_stop: Flag,
        "messageTag" => tag: Text<'a>,
        "toolUsageCardId" => tool_card: Text<'a>,
        "rolloutId" => agent: Text<'a>,
        "sideBySideIndex" => side_by_side: Number,
    } rarely Events
}

lenient_object! {
    /// What few lines hold. It is kept apart because a [`Response`] is made, moved and dropped for each token.
    struct Events<'a> {
        "error" => error: ErrorObject<'a>,
        "userResponse" => user: Object<UserResponse<'a>>,
        "streamingVideoGenerationResponse" => video: Object<VideoFrame<'a>>,
        "streamingImageGenerationResponse" => image: Object<ImageFrame<'a>>,
        "cachedImageGenerationResponse" => cached_image: Object<ImageFrame<'a>>,
        "webSearchResults" => web: SearchHits<'a>,
        "citedWebSearchResults" => cited: SearchHits<'a>,
        "xSearchResults" => posts: SearchHits<'a>,
        "cardAttachment" => card: Present,
        "imageAttachmentInfo" => images_announced: Present,
        "finalMetadata" => final_metadata: Present,
        "modelResponse" => model_response: Object<ModelResponse<'a>>,
    }
}

lenient_object! {
    /// The echo of the prompt.
    struct UserResponse<'a> {
        "model" => model: Text<'a>,
    }
}

lenient_object! {
    /// A picture in some state of completion.
    struct ImageFrame<'a> {
        "imageId" => id: Text<'a>,
        "imageUrl" => path: Text<'a>,
        "progress" => progress: Number,
        "moderated" => moderated: Flag,
    }
}

lenient_object! {
    /// A video in some state of completion.
    struct VideoFrame<'a> {
        "videoId" => id: Text<'a>,
        "videoUrl" => path: Text<'a>,
        "progress" => progress: Number,
        "moderated" => moderated: Flag,
    }
}

lenient_object! {
    /// The whole answer again.
    struct ModelResponse<'a> {
        "message" => message: Text<'a>,
        "model" => model: Text<'a>,
        "partial" => partial: Flag,
        "error" => error: ErrorObject<'a>,
        "streamErrors" => stream_errors: List<ErrorObject<'a>, 8>,
        "generatedImageUrls" => images: List<Text<'a>, MAX_LISTED_IMAGES>,
        "webSearchResults" => web: SearchHits<'a>,
        "citedWebSearchResults" => cited: SearchHits<'a>,
        "xSearchResults" => posts: SearchHits<'a>,
    }
}

lenient_object! {
    /// A page, or a post with `username`, `post_id` and `text`.
    struct SearchHit<'a> {
        "url" => url: Text<'a>,
        "title" => title: Text<'a>,
        "preview" => preview: Text<'a>,
        "username" => username: Text<'a>,
        "postId" => post_id: Text<'a>,
        "text" => text: Text<'a>,
    }
}

/// Search results: a list, or an object with the list as its member `results`.
#[derive(Debug, Default)]
pub(crate) struct SearchHits<'a>(pub(crate) Vec<SearchHit<'a>>);

lenient_object! {
    /// The object form of search results.
    struct Wrapped<'a> {
        "results" => results: List<SearchHit<'a>, MAX_RESULTS>,
    }
}

impl<'de> Deserialize<'de> for SearchHits<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hits;
        impl<'de> Visitor<'de> for Hits {
            type Value = SearchHits<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of search results")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                lenient::take_first(list, MAX_RESULTS).map(SearchHits)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                let wrapped = Wrapped::deserialize(serde::de::value::MapAccessDeserializer::new(object))?;
                Ok(SearchHits(wrapped.results.0))
            }

            lenient::absent!(bool, numbers, str, null);
        }
        deserializer.deserialize_any(Hits)
    }
}

impl Response<'_> {
    /// Whether the object belongs to an alternative answer (R3).
    pub(crate) fn is_alternative(&self) -> bool {
        self.side_by_side.0.is_some_and(|index| index >= 1)
    }

    /// Whether the object is part of the answer, and not an echo or a word on the state of things (R5).
    pub(crate) fn is_part_of_answer(&self) -> bool {
        self.token.non_empty().is_some()
            || self.tool_card.non_empty().is_some()
            || self.soft_stop.0
            || self.rare.as_ref().is_some_and(|events| events.are_part_of_answer())
    }
}

impl Events<'_> {
    fn are_part_of_answer(&self) -> bool {
        self.final_metadata.0
            || self.model_response.0.is_some()
            || self.card.0
            || self.images_announced.0
            || self.image.0.is_some()
            || self.cached_image.0.is_some()
            || self.video.0.is_some()
            || [&self.web, &self.cited, &self.posts].iter().any(|hits| !hits.0.is_empty())
    }
}
