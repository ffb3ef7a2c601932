"""The official MCP client against the gateway's /mcp: tools are found, called, and their failures understood."""

import asyncio
import json
import os

from httpx2 import AsyncClient
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

GATEWAYS = json.loads(os.environ["GATEWAYS"])
KEY = os.environ["GATEWAY_KEY"]


async def with_session(pool, story):
    headers = {"Authorization": f"Bearer {KEY}"}
    async with AsyncClient(headers=headers, timeout=60) as client:
        async with streamable_http_client(f"{GATEWAYS[pool]}/mcp", http_client=client) as (read, write, *_):
            async with ClientSession(read, write) as session:
                await story(session, await session.initialize())


async def tools_are_described(session, server):
    assert server.server_info.name == "Grok2API-MCP", server
    assert "ask_grok" in server.instructions
    tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert set(tools) == {"ask_grok", "generate_image", "generate_video", "list_models"}, tools
    schema = tools["ask_grok"].input_schema
    assert schema["required"] == ["query"] and schema["properties"]["model"]["default"] == "grok-3-fast", schema


async def tools_give_results(session, _server):
    answer = await session.call_tool("ask_grok", {"query": "Why is the sky blue?", "system_prompt": "Be brief."})
    assert not answer.is_error, answer
    text = answer.content[0].text
    assert text and answer.structured_content == {"result": text} and "<think>" not in text, answer
    models = await session.call_tool("list_models", {})
    assert "grok-4-fast" in models.content[0].text.split("\n"), models
    image = await session.call_tool("generate_image", {"prompt": "A lighthouse at dusk"})
    assert not image.is_error and "/images/" in image.content[0].text, image
    video = await session.call_tool("generate_video", {"prompt": "The waves roll in"})
    assert not video.is_error and "<video" in video.content[0].text, video


async def wrong_calls_are_told(session, _server):
    wrong = await session.call_tool("ask_grok", {"model": "grok-3-fast"})
    assert wrong.is_error and "query" in wrong.content[0].text, wrong
    unknown = await session.call_tool("ask_grok", {"query": "Hello", "model": "no-such-model"})
    assert unknown.is_error and "model_not_found" in unknown.content[0].text, unknown


async def failures_are_results(session, _server):
    failed = await session.call_tool("ask_grok", {"query": "Hello"})
    assert failed.is_error and failed.content[0].text.startswith("Error calling tool 'ask_grok': "), failed


async def main():
    for pool, story in [
        ("healthy", tools_are_described),
        ("healthy", tools_give_results),
        ("healthy", wrong_calls_are_told),
        ("failing", failures_are_results),
    ]:
        await with_session(pool, story)
        print("ok", story.__name__)


asyncio.run(main())
