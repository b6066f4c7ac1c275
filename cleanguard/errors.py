"""The one kind of error that ends a command with a message and exit code 2."""

from __future__ import annotations


class JobError(Exception):
    """The command could not do its job; the message names the thing and the remedy."""
