from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic

from planner import ask


def test_threads_are_callers(fake_provider):
    with Anthropic(max_retries=0) as client, ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda prompt: ask(client, prompt), ["one", "two", "three"]))
    assert fake_provider.trace.callers == ("thread 1", "thread 2")
