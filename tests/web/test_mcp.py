"""The endpoints as tools for MCP clients."""

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from speaker import FakeSpeaker

from kmspeaker.examples import FOLDER
from kmspeaker.web import serve


@pytest.fixture(scope="module")
def address():
    demo = serve(FakeSpeaker(), port=0, block=False, mcp=True)
    yield demo.local_url
    demo.close()


async def ask(address: str, calls: list[tuple[str, dict]]) -> tuple[list, list]:
    async with (
        streamablehttp_client(f"{address}gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = (await session.list_tools()).tools
        return tools, [await session.call_tool(name, values) for name, values in calls]


def test_an_mcp_client_finds_the_tools_and_makes_a_take(address: str):
    files = {
        name: f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
        for name, kind, path in (
            ("speech", "audio/wav", FOLDER / "delighted.wav"),
            ("reference", "video/mp4", FOLDER / "delighted.mp4"),
        )
    }
    values = {**files, "format": ".csv", "controls": {"upper": 1.5}}
    calls = [
        ("identities", {}),
        ("stylize", values),
        ("stylize", {**values, "speech": files["reference"]}),
        ("stylize", {**values, "controls": {"x": 1}}),
    ]
    # In a thread of its own: where browser tests ran before, Playwright's loop runs in this one.
    with ThreadPoolExecutor(1) as thread:
        tools, (heads, take, of_video, refused) = thread.submit(
            asyncio.run, ask(address, calls)
        ).result()
    assert {tool.name for tool in tools} == {
        "stylize",
        "localize",
        "track",
        "capture",
        "identities",
        "export",
    }
    assert all("Returns" in tool.description for tool in tools)
    assert "clara" in heads.content[0].text
    for made in (take, of_video):
        assert not made.isError and "take-" in json.dumps([c.model_dump() for c in made.content])
    assert refused.isError and "Got the control 'x'" in refused.content[0].text
