import boto3
import pytest


@pytest.mark.ratelimit(requests_per_minute=1)
def test_boto3_gives_up_long_before_there_is_room(fake_provider):
    bedrock = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="of no use",
        aws_secret_access_key="of no use",
    )
    question = {
        "modelId": "us.amazon.nova-pro-v1:0",
        "messages": [{"role": "user", "content": [{"text": "What changed?"}]}],
    }
    bedrock.converse(**question)
    with pytest.raises(bedrock.exceptions.ThrottlingException):
        bedrock.converse(**question)
    assert len(fake_provider.trace.calls[1].attempts) == 3
    assert fake_provider.clock.elapsed() < 5.0
