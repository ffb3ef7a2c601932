// openai-node against a gateway: every answer is understood, every error is the library's own class for it.
//
// Run by `cargo nextest run --workspace --test sdk`, which starts the gateways and names them in the environment.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import OpenAI, { toFile } from "openai";

const gateways = JSON.parse(process.env.GATEWAYS);
const model = "grok-4-fast"; // one that thinks
const pixel =
  "data:image/png;base64," +
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const clock = {
  type: "function",
  function: {
    name: "get_time",
    description: "Tells the time in a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
// The simulated upstream says what stands after `say:`, word for word.
const askTheClock =
  "say: <tool_calls><tool_call><tool_name>get_time</tool_name>" +
  '<parameters>{"city":"Oslo"}</parameters></tool_call></tool_calls>';

const client = (gateway = "healthy", options = {}) =>
  new OpenAI({
    baseURL: `${gateways[gateway]}/v1`,
    apiKey: process.env.GATEWAY_KEY,
    maxRetries: 0,
    timeout: 30_000,
    ...options,
  });

const user = (content) => [{ role: "user", content }];

const chat = (request = {}, gateway = "healthy", options = {}) =>
  client(gateway, options).chat.completions.create({ model, messages: user("Hello"), ...request });

const streamed = async (request, gateway) => {
  const chunks = [];
  for await (const chunk of await chat({ ...request, stream: true }, gateway)) chunks.push(chunk);
  return chunks;
};

const joined = (chunks, member) => chunks.map((chunk) => chunk.choices[0]?.delta[member] ?? "").join("");

const refused = async (kind, code, call, param = null) => {
  const error = await call().then(() => assert.fail("nothing was refused"), (error) => error);
  assert.ok(error instanceof kind, `${error}`);
  assert.deepEqual([error.code, error.param], [code, param]);
  assert.ok(error.message && error.type);
  assert.match(error.requestID, /^req_/);
  return error;
};

describe("models", () => {
  test("list", async () => {
    const models = [];
    for await (const model of client().models.list()) models.push(model);
    assert.ok(models.some(({ id }) => id === model));
    assert.ok(models.every(({ created, object }) => Number.isInteger(created) && object === "model"));
  });

  test("retrieve", async () => {
    assert.equal((await client().models.retrieve(model)).id, model);
  });
});

describe("answers", () => {
  test("chat", async () => {
    const answer = await chat({ messages: user("say: Good morning.") });
    assert.deepEqual([answer.object, answer.model], ["chat.completion", model]);
    assert.equal(answer.choices[0].message.content, "Good morning.");
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.ok(answer.usage.completion_tokens > 0);
    assert.match(answer._request_id, /^req_/);
  });

  test("stream", async () => {
    const messages = user("Tell me about lighthouses");
    const whole = (await chat({ messages })).choices[0].message.content;
    const chunks = await streamed({ messages });
    assert.equal(joined(chunks, "content"), whole);
    assert.ok(chunks.length > 5);
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
    assert.deepEqual(chunks.map(({ choices }) => choices[0].delta.role).filter(Boolean), ["assistant"]);
    assert.deepEqual(chunks.map(({ choices }) => choices[0].finish_reason).filter(Boolean), ["stop"]);
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
    assert.ok(chunks.every(({ usage }) => !usage));
  });

  test("stream with usage", async () => {
    const chunks = await streamed({ stream_options: { include_usage: true } });
    const last = chunks.pop();
    assert.deepEqual(last.choices, []);
    assert.ok(last.usage.total_tokens > 0);
    assert.ok(chunks.every(({ usage }) => usage === null));
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
  });

  test("reasoning in both modes", async () => {
    const messages = user("Think it through: why is the sky blue?");
    const { message } = (await chat({ messages })).choices[0];
    const chunks = await streamed({ messages });
    assert.ok(message.reasoning_content && message.content);
    // While it streams, nobody knows yet that a line end will turn out to be the last thing.
    assert.equal(joined(chunks, "reasoning_content").trim(), message.reasoning_content);
    assert.equal(joined(chunks, "content"), message.content);
  });

  test("several choices", async () => {
    const { choices } = await chat({ messages: user("say: One of two."), n: 2 });
    assert.deepEqual(choices.map(({ index }) => index), [0, 1]);
    assert.deepEqual(choices.map(({ message }) => message.content), ["One of two.", "One of two."]);
  });

  test("JSON that fits a schema", async () => {
    const schema = {
      type: "object",
      properties: { city: { type: "string" }, degrees: { type: "integer" } },
      required: ["city", "degrees"],
      additionalProperties: false,
    };
    const response_format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema } };
    const messages = user('say: {"city": "Oslo", "degrees": 7}');
    const answer = await client().chat.completions.parse({ model, messages, response_format });
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { city: "Oslo", degrees: 7 });
  });

  test("picture", async () => {
    const text = { type: "text", text: "What is in this picture?" };
    const picture = { type: "image_url", image_url: { url: pixel, detail: "low" } };
    assert.ok((await chat({ messages: user([text, picture]) })).choices[0].message.content);
  });
});

describe("tools", () => {
  test("round trip", async () => {
    const messages = user(askTheClock);
    const first = (await chat({ messages, tools: [clock] })).choices[0];
    assert.equal(first.finish_reason, "tool_calls");
    const [call] = first.message.tool_calls;
    assert.deepEqual([call.type, call.function.name], ["function", "get_time"]);
    assert.deepEqual(JSON.parse(call.function.arguments), { city: "Oslo" });
    messages.push(first.message, { role: "tool", tool_call_id: call.id, content: "12:00" });
    messages.push(...user("say: It is noon in Oslo."));
    const second = (await chat({ messages, tools: [clock] })).choices[0];
    assert.deepEqual([second.finish_reason, second.message.content], ["stop", "It is noon in Oslo."]);
  });

  test("run by the library over a stream", async () => {
    const stream = client().chat.completions.stream({ model, messages: user(askTheClock), tools: [clock] });
    const { finish_reason, message } = (await stream.finalChatCompletion()).choices[0];
    assert.equal(finish_reason, "tool_calls");
    assert.equal(message.tool_calls.length, 1);
    assert.equal(message.tool_calls[0].function.name, "get_time");
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "Oslo" });
  });
});

const isJpeg = (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
const picture = () => toFile(Buffer.from(pixel.split(",")[1], "base64"), "pixel.png", { type: "image/png" });

describe("images", () => {
  test("links", async () => {
    const answer = await client().images.generate({ prompt: "a red kite", n: 2, size: "1024x1024" });
    assert.equal(answer.data.length, 2);
    assert.ok(answer.data.every(({ url, b64_json }) => url && b64_json === undefined));
    assert.deepEqual([answer.output_format, answer.size], ["jpeg", "1024x1024"]);
    const file = await fetch(answer.data[0].url);
    assert.equal(file.headers.get("content-type"), "image/jpeg");
    assert.ok(isJpeg(Buffer.from(await file.arrayBuffer())));
  });

  test("base64", async () => {
    const { data } = await client().images.generate({ prompt: "a red kite", response_format: "b64_json" });
    assert.equal(data.length, 1);
    assert.ok(isJpeg(Buffer.from(data[0].b64_json, "base64")));
  });

  test("streamed", async () => {
    const events = [];
    const stream = await client().images.generate({ prompt: "a red kite", stream: true, partial_images: 1 });
    for await (const event of stream) events.push(event);
    assert.deepEqual(events.map(({ type }) => type), ["image_generation.completed"]);
    assert.ok(isJpeg(Buffer.from(events[0].b64_json, "base64")));
  });

  test("edit", async () => {
    const answer = await client().images.edit({ image: await picture(), prompt: "Paint it blue" });
    assert.ok(answer.data[0].url);
  });

  test("safe repetition", async () => {
    const headers = { "Idempotency-Key": "node-images" };
    const draw = (prompt) => client().images.generate({ prompt }, { headers });
    const first = await draw("a red kite");
    assert.deepEqual((await draw("a red kite")).data, first.data);
    await refused(OpenAI.UnprocessableEntityError, "idempotency_key_reused", () => draw("a blue kite"));
  });

  const refusals = [
    [OpenAI.BadRequestError, "invalid_value", { size: "big" }, "size"],
    [OpenAI.BadRequestError, "unsupported_value", { background: "transparent" }, "background"],
    [OpenAI.NotFoundError, "model_not_found", { model: "dall-e-3" }, "model"],
    [OpenAI.BadRequestError, "content_policy_violation", { prompt: "a kite media:withheld=2" }, null],
    [OpenAI.InternalServerError, "no_image_generated", { prompt: "a kite media:files=0" }, null],
  ];
  for (const [kind, code, request, param] of refusals) {
    test(`refusal: ${code}`, () =>
      refused(kind, code, () => client().images.generate({ prompt: "a red kite", ...request }), param));
  }

  test("nobody can draw", async () => {
    const draw = () => client("empty").images.generate({ prompt: "a red kite" });
    const error = await refused(OpenAI.InternalServerError, "no_available_account", draw);
    assert.equal(error.status, 503);
  });
});

describe("videos", () => {
  // Asks the gateway's own events for the end: the library has no helper for it in Node.
  const finished = async (id) => {
    const authorization = `Bearer ${process.env.GATEWAY_KEY}`;
    await (await fetch(`${gateways.healthy}/v1/jobs/${id}/events`, { headers: { authorization } })).text();
    return client().videos.retrieve(id);
  };

  test("made, downloaded and deleted", async () => {
    const { videos } = client();
    const made = await videos.create({ prompt: "The sun rises", input_reference: await picture() });
    assert.deepEqual([made.object, made.status, made.seconds], ["video", "queued", "4"]);
    const done = await finished(made.id);
    assert.deepEqual([done.status, done.progress, done.error], ["completed", 100, null]);
    const listed = [];
    for await (const video of videos.list({ limit: 1 })) listed.push(video.id);
    assert.ok(listed.includes(made.id));
    const file = Buffer.from(await (await videos.downloadContent(made.id)).arrayBuffer());
    assert.equal(file.toString("latin1", 4, 8), "ftyp");
    assert.ok((await videos.delete(made.id)).deleted);
    await refused(OpenAI.NotFoundError, "not_found", () => videos.retrieve(made.id));
  });

  test("moderated", async () => {
    const made = await client().videos.create({ prompt: "The sun rises media:withheld=1" });
    const failed = await finished(made.id);
    assert.deepEqual([failed.status, failed.error.code], ["failed", "content_policy_violation"]);
    await refused(OpenAI.NotFoundError, "no_content", () => client().videos.downloadContent(made.id));
  });

  test("a length that cannot be chosen", () =>
    refused(OpenAI.BadRequestError, "unsupported_value", () =>
      client().videos.create({ prompt: "The sun rises", seconds: "8" }), "seconds"));
});

describe("refusals", () => {
  test("wrong key", () =>
    refused(OpenAI.AuthenticationError, "invalid_api_key", () => chat({}, "healthy", { apiKey: "wrong" })));

  test("missing key", () =>
    refused(OpenAI.AuthenticationError, "invalid_api_key", () =>
      chat({}, "healthy", { defaultHeaders: { Authorization: null } })));

  test("unknown model", async () => {
    await refused(OpenAI.NotFoundError, "model_not_found", () => chat({ model: "gpt-0" }), "model");
    await refused(OpenAI.NotFoundError, "model_not_found", () => client().models.retrieve("x/none"), "model");
  });

  test("bad role", () => {
    const messages = [...user("Hello"), { role: "wizard", content: "Hello" }];
    return refused(OpenAI.BadRequestError, "invalid_value", () => chat({ messages }), "messages[1].role");
  });

  test("bad parameter", async () => {
    await refused(OpenAI.BadRequestError, "invalid_value", () => chat({ temperature: 3 }), "temperature");
    await refused(OpenAI.BadRequestError, "unsupported_parameter", () => chat({ logprobs: true }), "logprobs");
  });

  test("stream_options without stream", () => {
    const stream_options = { include_usage: true };
    return refused(OpenAI.BadRequestError, "invalid_value", () => chat({ stream_options }), "stream_options");
  });
});

describe("trouble", () => {
  const trouble = [
    ["every account is limited", "limited", OpenAI.RateLimitError, 429, "upstream_rate_limited", true],
    ["the upstream fails", "failing", OpenAI.InternalServerError, 502, "upstream_error", false],
    ["the upstream is overloaded", "overloaded", OpenAI.InternalServerError, 503, "upstream_overloaded", true],
    ["there is no account", "empty", OpenAI.InternalServerError, 503, "no_available_account", true],
    ["the upstream never answers", "silent", OpenAI.InternalServerError, 504, "upstream_timeout", false],
  ];
  for (const [title, gateway, kind, status, code, waits] of trouble) {
    test(title, async () => {
      const error = await refused(kind, code, () => chat({ stream: true }, gateway));
      assert.equal(error.status, status);
      assert.equal(Number(error.headers.get("retry-after")) >= 1, waits);
    });
  }

  for (const gateway of ["breaking", "cut"]) {
    test(`an answer that breaks off is not taken for whole: ${gateway}`, async () => {
      let text = "";
      const reading = async () => {
        const messages = user("Tell me about lighthouses");
        for await (const chunk of await chat({ messages, stream: true }, gateway)) {
          text += chunk.choices[0].delta.content ?? "";
        }
      };
      const error = await reading().then(() => assert.fail("the end went unnoticed"), (error) => error);
      assert.ok(error instanceof OpenAI.APIError, `${error}`);
      assert.ok(error.message && error.code);
      assert.ok(text);
    });
  }

  test("the library tries again by itself", async () => {
    const answer = await chat({ messages: user("say: Back again.") }, "recovering", { maxRetries: 2 });
    assert.equal(answer.choices[0].message.content, "Back again.");
  });
});
