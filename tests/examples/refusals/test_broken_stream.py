import pytest
from anthropic import Anthropic, APIStatusError
from fake_provider import Fault


def test_an_overload_in_the_middle_is_no_529_to_the_sdk(fake_provider):
    fake_provider.script([Fault(status=529, after=3)])
    texts = []
    with (
        pytest.raises(APIStatusError) as raised,
        Anthropic().messages.stream(
            model="claude-sonnet-5",
            max_tokens=500,
            messages=[{"role": "user", "content": "What changed?"}],
        ) as stream,
    ):
        texts.extend(stream.text_stream)
    assert len(texts) == 3
    assert raised.value.status_code == 200
    assert len(fake_provider.trace.attempts) == 1
