import os

from fake_provider import Limits
from fake_provider.locust import ProviderUser, Workload


def patient(refused):
    if refused.attempt == 8:
        return None
    return refused.hint_s + refused.random.uniform(0, 2)


class Agent(ProviderUser):
    base_urls = os.environ["BASE_URLS"].split(",")
    workload = Workload(calls=3, tokens=2_000, limits=Limits(tokens_per_minute=1_200_000, window=1))
    delay = patient
