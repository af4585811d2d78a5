from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic

client = Anthropic(api_key="of no use")


def answer(number):
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=100,
        messages=[{"role": "user", "content": f"Question {number}"}],
    )


def answer_all(questions):
    with ThreadPoolExecutor(questions) as pool:
        futures = [pool.submit(answer, number) for number in range(questions)]
    return [future.exception() or future.result() for future in futures]
