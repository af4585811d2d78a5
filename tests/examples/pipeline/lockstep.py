from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic, RateLimitError
from tenacity import retry, stop_after_attempt, wait_fixed


@retry(stop=stop_after_attempt(5), wait=wait_fixed(1), reraise=True)
def ask(client, prompt):
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=500,
        messages=[{"role": "user", "content": prompt}],
    )


def agent(number):
    with Anthropic(max_retries=0) as client:
        try:
            return [ask(client, f"chunk {number}, question {n}") for n in range(4)]
        except RateLimitError:
            return None  # the report goes without this chunk


def run_pipeline(agents):
    with ThreadPoolExecutor(agents) as pool:
        return list(pool.map(agent, range(agents)))
