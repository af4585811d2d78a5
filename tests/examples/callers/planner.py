from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic
from fake_provider import caller


def ask(client, prompt, **options):
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=500,
        messages=[{"role": "user", "content": prompt}],
        **options,
    )


def plan_and_review():
    with Anthropic(max_retries=0) as client, ThreadPoolExecutor(2) as pool:

        def step(name):
            with caller(name):
                return ask(client, f"{name}: what is next?")

        list(pool.map(step, ["planner", "reviewer"]))


def ask_by_header():
    with Anthropic(max_retries=0) as client:
        ask(client, "write it down", extra_headers={"X-Caller": "writer"})
