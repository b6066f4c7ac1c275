"""What a person wants of a migration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants of a migration.

    Attributes:
        unsafe: Take rewrites that may change results.
        select: Codes to rewrite; empty for all.
        declined: Findings to leave, by code and row.
    """

    unsafe: bool = False
    select: frozenset[str] = frozenset()
    declined: frozenset[tuple[str, int]] = frozenset()

    def declines(self, code: str, row: int) -> bool:
        """Whether a finding is to be left."""
        return bool(self.select and code not in self.select) or (code, row) in self.declined


EVERYTHING = Wishes()
