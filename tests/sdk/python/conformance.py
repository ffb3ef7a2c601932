"""openai-python against a gateway: every answer is understood, every error is the library's own class for it.

Run by `cargo nextest run --workspace --test sdk`, which starts the gateways and names them in the environment.
"""

import base64
import json
import os
import unittest
import urllib.request
import warnings

import openai
from openai import Omit, OpenAI
from pydantic import BaseModel

GATEWAYS = json.loads(os.environ["GATEWAYS"])
KEY = os.environ["GATEWAY_KEY"]
MODEL = "grok-4-fast"  # one that thinks
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CLOCK = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Tells the time in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
# The simulated upstream says what stands after `say:`, word for word.
ASK_THE_CLOCK = (
    "say: <tool_calls><tool_call><tool_name>get_time</tool_name>"
    '<parameters>{"city":"Oslo"}</parameters></tool_call></tool_calls>'
)


def client(gateway="healthy", **options):
    return OpenAI(**{"base_url": f"{GATEWAYS[gateway]}/v1", "api_key": KEY, "max_retries": 0, "timeout": 30, **options})


def chat(prompt="Hello", gateway="healthy", options=None, **request):
    request = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **request}
    return client(gateway, **(options or {})).chat.completions.create(**request)


def joined(chunks, member):
    return "".join(getattr(chunk.choices[0].delta, member, None) or "" for chunk in chunks if chunk.choices)


class Models(unittest.TestCase):
    def test_list(self):
        models = client().models.list().data
        self.assertIn(MODEL, [model.id for model in models])
        self.assertTrue(all(isinstance(model.created, int) and model.object == "model" for model in models))

    def test_retrieve(self):
        self.assertEqual(client().models.retrieve(MODEL).id, MODEL)


class Answers(unittest.TestCase):
    def test_chat(self):
        answer = chat("say: Good morning.")
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.model, MODEL)
        self.assertEqual(answer.choices[0].message.content, "Good morning.")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertGreater(answer.usage.completion_tokens, 0)
        self.assertRegex(answer._request_id, "^req_")

    def test_stream(self):
        whole = chat("Tell me about lighthouses").choices[0].message.content
        chunks = list(chat("Tell me about lighthouses", stream=True))
        self.assertEqual(joined(chunks, "content"), whole)
        self.assertGreater(len(chunks), 5)
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual([chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.role], ["assistant"])
        reasons = [chunk.choices[0].finish_reason for chunk in chunks]
        self.assertEqual(reasons, [None] * (len(chunks) - 1) + ["stop"])
        self.assertTrue(all(chunk.usage is None for chunk in chunks))

    def test_stream_with_usage(self):
        *chunks, last = chat("Hello", stream=True, stream_options={"include_usage": True})
        self.assertEqual(last.choices, [])
        self.assertGreater(last.usage.total_tokens, 0)
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")

    def test_reasoning_in_both_modes(self):
        prompt = "Think it through: why is the sky blue?"
        message = chat(prompt).choices[0].message
        chunks = list(chat(prompt, stream=True))
        self.assertTrue(message.reasoning_content and message.content)
        # While it streams, nobody knows yet that a line end will turn out to be the last thing.
        self.assertEqual(joined(chunks, "reasoning_content").strip(), message.reasoning_content)
        self.assertEqual(joined(chunks, "content"), message.content)

    def test_several_choices(self):
        choices = chat("say: One of two.", n=2).choices
        self.assertEqual([choice.index for choice in choices], [0, 1])
        self.assertEqual({choice.message.content for choice in choices}, {"One of two."})

    def test_several_choices_streamed(self):
        chunks = list(chat("say: One of two.", n=2, stream=True))
        for index in (0, 1):
            own = [chunk for chunk in chunks if chunk.choices[0].index == index]
            self.assertEqual(joined(own, "content"), "One of two.")
            self.assertEqual(own[-1].choices[0].finish_reason, "stop")

    def test_structured_output(self):
        class Weather(BaseModel):
            city: str
            degrees: int

        messages = [{"role": "user", "content": 'say: {"city": "Oslo", "degrees": 7}'}]
        answer = client().chat.completions.parse(model=MODEL, messages=messages, response_format=Weather)
        self.assertEqual(answer.choices[0].message.parsed, Weather(city="Oslo", degrees=7))

    def test_picture(self):
        content = [
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        ]
        self.assertTrue(chat(content).choices[0].message.content)

    def test_raw_response_has_the_headers(self):
        raw = client().chat.completions.with_raw_response.create(
            model=MODEL, messages=[{"role": "user", "content": "Hello"}], temperature=0.5
        )
        self.assertRegex(raw.headers["x-request-id"], "^req_")
        self.assertEqual(raw.headers["x-grok2api-ignored"], "temperature")


class Tools(unittest.TestCase):
    def test_round_trip(self):
        first = chat(ASK_THE_CLOCK, tools=[CLOCK]).choices[0]
        self.assertEqual(first.finish_reason, "tool_calls")
        [call] = first.message.tool_calls
        self.assertEqual((call.type, call.function.name), ("function", "get_time"))
        self.assertEqual(json.loads(call.function.arguments), {"city": "Oslo"})
        messages = [
            {"role": "user", "content": ASK_THE_CLOCK},
            first.message,
            {"role": "tool", "tool_call_id": call.id, "content": "12:00"},
            {"role": "user", "content": "say: It is noon in Oslo."},
        ]
        second = chat(messages=messages, tools=[CLOCK]).choices[0]
        self.assertEqual((second.finish_reason, second.message.content), ("stop", "It is noon in Oslo."))

    def test_streamed(self):
        messages = [{"role": "user", "content": ASK_THE_CLOCK}]
        with client().chat.completions.stream(model=MODEL, messages=messages, tools=[CLOCK]) as stream:
            choice = stream.get_final_completion().choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        [call] = choice.message.tool_calls
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("get_time", {"city": "Oslo"}))

    def test_result_without_a_call(self):
        with self.assertRaises(openai.BadRequestError):
            chat(messages=[{"role": "tool", "tool_call_id": "call_none", "content": "12:00"}], tools=[CLOCK])


class Images(unittest.TestCase):
    def test_generate_links(self):
        answer = client().images.generate(prompt="a red kite", n=2, size="1024x1024")
        self.assertEqual(len(answer.data), 2)
        self.assertTrue(all(picture.url and picture.b64_json is None for picture in answer.data))
        self.assertEqual((answer.output_format, answer.size), ("jpeg", "1024x1024"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)
        with urllib.request.urlopen(answer.data[0].url, timeout=30) as picture:
            self.assertEqual(picture.headers["content-type"], "image/jpeg")
            self.assertTrue(picture.read().startswith(b"\xff\xd8\xff"))

    def test_generate_base64(self):
        answer = client().images.generate(prompt="a red kite", response_format="b64_json")
        [picture] = answer.data
        self.assertIsNone(picture.url)
        self.assertTrue(base64.b64decode(picture.b64_json, validate=True).startswith(b"\xff\xd8\xff"))

    def test_streamed(self):
        events = list(client().images.generate(prompt="a red kite", stream=True, partial_images=1))
        self.assertEqual([event.type for event in events], ["image_generation.completed"])
        self.assertTrue(base64.b64decode(events[0].b64_json, validate=True).startswith(b"\xff\xd8\xff"))
        self.assertGreater(events[0].usage.total_tokens, 0)

    def test_edit(self):
        picture = base64.b64decode(PIXEL.partition(",")[2])
        answer = client().images.edit(image=("pixel.png", picture, "image/png"), prompt="Paint it blue")
        self.assertTrue(answer.data[0].url)

    def test_safe_repetition(self):
        repeat = {"extra_headers": {"Idempotency-Key": "python-images"}}
        first = client().images.generate(prompt="a red kite", **repeat)
        self.assertEqual(client().images.generate(prompt="a red kite", **repeat).data, first.data)
        with self.assertRaises(openai.UnprocessableEntityError) as caught:
            client().images.generate(prompt="a blue kite", **repeat)
        self.assertEqual(caught.exception.code, "idempotency_key_reused")

    def test_refusals(self):
        for kind, code, request in [
            (openai.BadRequestError, "invalid_value", {"size": "big"}),
            (openai.BadRequestError, "unsupported_value", {"background": "transparent"}),
            (openai.NotFoundError, "model_not_found", {"model": "dall-e-3"}),
            (openai.BadRequestError, "content_policy_violation", {"prompt": "a kite media:withheld=2"}),
            (openai.InternalServerError, "no_image_generated", {"prompt": "a kite media:files=0"}),
        ]:
            with self.subTest(code), self.assertRaises(kind) as caught:
                client().images.generate(**{"prompt": "a red kite", **request})
            self.assertEqual(caught.exception.code, code)
        with self.assertRaises(openai.InternalServerError) as caught:
            client("empty").images.generate(prompt="a red kite")
        self.assertEqual((caught.exception.status_code, caught.exception.code), (503, "no_available_account"))


class Videos(unittest.TestCase):
    def setUp(self):
        # The library marks its video calls as going away; they work as long as they are there.
        warnings.simplefilter("ignore", DeprecationWarning)

    def test_made_downloaded_and_deleted(self):
        videos = client().videos
        picture = base64.b64decode(PIXEL.partition(",")[2])
        made = videos.create(prompt="The sun rises", input_reference=("pixel.png", picture, "image/png"))
        self.assertEqual((made.object, made.status, made.seconds), ("video", "queued", "4"))
        done = videos.poll(made.id, poll_interval_ms=200)
        self.assertEqual((done.status, done.progress, done.error), ("completed", 100, None))
        self.assertEqual(videos.retrieve(made.id), done)
        self.assertIn(made.id, [video.id for video in videos.list(limit=1)])
        self.assertEqual(videos.download_content(made.id).read()[4:8], b"ftyp")
        self.assertTrue(videos.download_content(made.id, variant="thumbnail").read())
        self.assertTrue(videos.delete(made.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            videos.retrieve(made.id)

    def test_create_and_poll(self):
        done = client().videos.create_and_poll(prompt="The sun rises", seconds="4", size="720x1280")
        self.assertEqual(done.status, "completed")

    def test_moderated(self):
        failed = client().videos.create_and_poll(prompt="The sun rises media:withheld=1", poll_interval_ms=200)
        self.assertEqual((failed.status, failed.error.code), ("failed", "content_policy_violation"))
        with self.assertRaises(openai.NotFoundError):
            client().videos.download_content(failed.id)

    def test_refusals(self):
        for code, request in [("unsupported_value", {"seconds": "8"}), ("unsupported_value", {"size": "1280x720"})]:
            with self.assertRaises(openai.BadRequestError) as caught:
                client().videos.create(prompt="The sun rises", **request)
            self.assertEqual((caught.exception.code, [caught.exception.param]), (code, list(request)))


class Refusals(unittest.TestCase):
    def refused(self, kind, code, call, param=None):
        with self.assertRaises(kind) as caught:
            call()
        error = caught.exception
        self.assertEqual(error.code, code)
        self.assertEqual(error.param, param)
        self.assertTrue(error.body["message"] and error.type)
        self.assertRegex(error.request_id, "^req_")
        return error

    def test_wrong_key(self):
        self.refused(openai.AuthenticationError, "invalid_api_key", lambda: chat(options={"api_key": "wrong"}))

    def test_missing_key(self):
        without = {"extra_headers": {"Authorization": Omit()}}
        self.refused(openai.AuthenticationError, "invalid_api_key", lambda: chat(**without))
        self.refused(openai.AuthenticationError, "invalid_api_key", lambda: client().models.list(**without))

    def test_unknown_model(self):
        self.refused(openai.NotFoundError, "model_not_found", lambda: chat(model="gpt-0"), "model")
        self.refused(openai.NotFoundError, "model_not_found", lambda: client().models.retrieve("x/none"), "model")

    def test_bad_role(self):
        messages = [{"role": "user", "content": "Hello"}, {"role": "wizard", "content": "Hello"}]
        self.refused(openai.BadRequestError, "invalid_value", lambda: chat(messages=messages), "messages[1].role")

    def test_bad_parameter(self):
        self.refused(openai.BadRequestError, "invalid_value", lambda: chat(temperature=3), "temperature")
        self.refused(openai.BadRequestError, "unsupported_parameter", lambda: chat(logprobs=True), "logprobs")

    def test_stream_options_without_stream(self):
        options = {"include_usage": True}
        self.refused(
            openai.BadRequestError, "invalid_value", lambda: chat(stream_options=options), "stream_options"
        )

    def test_picture_that_is_none(self):
        broken = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        with self.assertRaises(openai.BadRequestError):
            chat([broken])


class Trouble(unittest.TestCase):
    def status(self, gateway, kind=openai.InternalServerError, **request):
        with self.assertRaises(kind) as caught:
            chat(gateway=gateway, **request)
        return caught.exception

    def test_every_account_is_limited(self):
        for stream in (False, True):
            error = self.status("limited", openai.RateLimitError, stream=stream)
            self.assertEqual((error.code, error.type), ("upstream_rate_limited", "rate_limit_error"))
            self.assertGreaterEqual(int(error.response.headers["retry-after"]), 1)

    def test_the_upstream_fails(self):
        error = self.status("failing")
        self.assertEqual((error.status_code, error.code), (502, "upstream_error"))

    def test_the_upstream_is_overloaded(self):
        error = self.status("overloaded")
        self.assertEqual((error.status_code, error.code), (503, "upstream_overloaded"))
        self.assertGreaterEqual(int(error.response.headers["retry-after"]), 1)

    def test_there_is_no_account(self):
        error = self.status("empty")
        self.assertEqual((error.status_code, error.code), (503, "no_available_account"))
        self.assertGreaterEqual(int(error.response.headers["retry-after"]), 1)

    def test_the_upstream_never_answers(self):
        error = self.status("silent", stream=True)
        self.assertEqual((error.status_code, error.code), (504, "upstream_timeout"))

    def test_an_answer_that_breaks_off_is_not_taken_for_whole(self):
        for gateway in ("breaking", "cut"):
            seen = []
            with self.subTest(gateway), self.assertRaises(openai.APIError) as caught:
                for chunk in chat("Tell me about lighthouses", gateway, stream=True):
                    seen.append(chunk)
            self.assertTrue(joined(seen, "content"))
            self.assertNotIsInstance(caught.exception, openai.APIStatusError)
            self.assertTrue(caught.exception.message and caught.exception.code)

    def test_the_library_tries_again_by_itself(self):
        answer = chat("say: Back again.", "recovering", options={"max_retries": 2})
        self.assertEqual(answer.choices[0].message.content, "Back again.")


if __name__ == "__main__":
    unittest.main()
