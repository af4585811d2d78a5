from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic, RateLimitError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

jitter = wait_random_exponential(multiplier=2, max=60)


def hint_plus_jitter(state):
    headers = state.outcome.exception().response.headers
    return float(headers.get("retry-after", 0)) + jitter(state)


@retry(
    stop=stop_after_attempt(8),
    wait=hint_plus_jitter,
    retry=retry_if_exception_type(RateLimitError),
    reraise=True,
)
def ask(client, prompt):
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=500,
        messages=[{"role": "user", "content": prompt}],
    )


def agent(number):
    with Anthropic(max_retries=0) as client:
        return [ask(client, f"chunk {number}, question {n}") for n in range(4)]


def run_pipeline(agents):
    with ThreadPoolExecutor(agents) as pool:
        return list(pool.map(agent, range(agents)))
