"""Errors that the code under test must not swallow: none of them is an Exception."""

from __future__ import annotations

from fake_provider.virtual_time import RunStopped


class AttemptLimit(RunStopped):
    """One call made more attempts than any policy would: the run was stopped."""

    __module__ = "fake_provider"


class UnansweredRequest(BaseException):
    """A request went to a host that the provider neither answers nor lets through."""

    __module__ = "fake_provider"


class ProviderError(BaseException):
    """The provider could not answer: a function given to it raised, or returned nonsense.

    As an Exception, an SDK would take it for a connection error and retry.
    """

    __module__ = "fake_provider"
