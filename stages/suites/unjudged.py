"""Why an answer has no verdict: what judges it took longer than its time."""

from __future__ import annotations


class UnjudgedError(Exception):
    """A scorer came to no verdict; the answer counts as wrong, and the record says why."""
