import random
import time

import tenacity
from anthropic import Anthropic, InternalServerError, RateLimitError

QUESTION = {
    "model": "claude-sonnet-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "What changed?"}],
}


@tenacity.retry(wait=tenacity.wait_fixed(1), stop=tenacity.stop_after_attempt(5), reraise=True)
def lockstep(client: Anthropic):
    return client.with_options(max_retries=0).messages.create(**QUESTION)


def patient(client: Anthropic):
    for refusals in range(4):
        try:
            return client.with_options(max_retries=0).messages.create(**QUESTION)
        except (RateLimitError, InternalServerError) as refusal:
            headers = refusal.response.headers
            if headers.get("x-should-retry") == "false":
                raise
            wait = float(headers.get("retry-after", 0))
            time.sleep(wait + random.uniform(0, 10.0 * 2**refusals))
    raise TimeoutError("refused four times")


gentle = tenacity.wait_random_exponential(multiplier=2, max=60)
