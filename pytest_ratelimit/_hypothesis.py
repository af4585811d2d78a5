"""What Hypothesis asks for when it is imported: strategies of the values that tests are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis import strategies as st


def register() -> None:
    """Let `st.from_type` make limits, workloads and retry policies."""
    from hypothesis import strategies as st

    from fake_provider import Limits, RetryPolicy, Workload

    # Each strategy is looked up on use: every import of Hypothesis comes by here.
    st.register_type_strategy(Limits, lambda _: _made("limits"))
    st.register_type_strategy(RetryPolicy, lambda _: _made("policies"))
    st.register_type_strategy(Workload, lambda _: _made("workloads"))


def _made(name: str) -> st.SearchStrategy[Any]:
    """Return what a function of the public strategies makes."""
    from pytest_ratelimit import strategies

    made: st.SearchStrategy[Any] = getattr(strategies, name)()
    return made
