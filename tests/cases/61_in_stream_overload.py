"""An overload inside the stream: status 200, then an error event.

Scenario: 1 caller; the first stream breaks with overloaded_error, after some text (late) or before any (early).
Verdict: late_replayed: pieces go to the reader, and the whole is asked again: replay FLAG.  late_handed_on: no retry: replay n/a.
  early_replayed: nothing had been delivered: replay ok; layers, terminal ok everywhere.
"""
import asyncio
import json
import random

import anthropic

MSG = {"id": "m", "type": "message", "role": "assistant", "model": "fake", "content": [], "stop_reason": None,
       "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
START = [("message_start", {"type": "message_start", "message": MSG})]
TEXT = [("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}})]
END = [("content_block_stop", {"type": "content_block_stop", "index": 0}),
       ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                          "usage": {"output_tokens": 1}}), ("message_stop", {"type": "message_stop"})]
ERROR = [("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})]


def _sse(events):
    return "".join(f"event: {n}\ndata: {json.dumps(d)}\n\n" for n, d in events)


def _late(entry):
    return _sse(START + TEXT + ERROR if entry["nth"] == 0 else START + TEXT + END)


def _early(entry):
    return _sse(ERROR if entry["nth"] == 0 else START + TEXT + END)


SCENARIOS = {"late_replayed": dict(entry="replayed", provider=dict(stream=_late)),
             "late_handed_on": dict(entry="handed_on", provider=dict(stream=_late)),
             "early_replayed": dict(entry="replayed", provider=dict(stream=_early))}
VERDICTS = {"late_replayed": dict(replay="FLAG", layers="ok", terminal="ok", sync="n/a"),
            "late_handed_on": dict(replay="ok", layers="ok", terminal="ok"),
            "early_replayed": dict(replay="ok", layers="ok", terminal="ok")}


async def replayed(client):
    shown = []
    for attempt in range(3):
        try:
            async with client.messages.stream(model="claude-x", max_tokens=8,
                                              messages=[{"role": "user", "content": "hi"}]) as stream:
                async for piece in stream.text_stream:
                    shown.append(piece)
            return shown
        except anthropic.APIStatusError:
            await asyncio.sleep(1 + random.random())


async def handed_on(client):
    async with client.messages.stream(model="claude-x", max_tokens=8,
                                      messages=[{"role": "user", "content": "hi"}]) as stream:
        async for _ in stream.text_stream:
            pass
