"""Audit: what is the retry policy of a callable, a policy object or a client of the user's?"""

from __future__ import annotations

from pytest_ratelimit._audit._audit import Audit, audit
from pytest_ratelimit._audit._subject import Subject, SubjectError, load

__all__ = ["Audit", "Subject", "SubjectError", "audit", "load"]
