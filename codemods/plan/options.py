"""What a person wants of a migration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants of a migration.

    Attributes:
        unsafe: Take rewrites that may change results.
        watch: Let loads and generations that cannot be guarded be watched, instead of leaving them.
        select: Codes to rewrite; empty for all.
        declined: Findings to leave, by code and row.
        unproven: Findings whose rewrite could not be proven, likewise.
        doubt: What their proof failed for.
    """

    unsafe: bool = False
    watch: bool = False
    select: frozenset[str] = frozenset()
    declined: frozenset[tuple[str, int]] = frozenset()
    unproven: frozenset[tuple[str, int]] = frozenset()
    doubt: str = ""

    def declines(self, code: str, row: int) -> bool:
        """Whether a finding is to be left."""
        left = self.declined | self.unproven
        return bool(self.select and code not in self.select) or (code, row) in left

    def is_unproven(self, code: str, row: int) -> bool:
        """Whether the rewrite of a finding could not be proven."""
        return (code, row) in self.unproven

    def reason(self, code: str, row: int) -> str:
        """Why a declined finding is left."""
        if self.is_unproven(code, row):
            return f"its rewrite could not be proven: {self.doubt}"
        return "not chosen"


EVERYTHING = Wishes()
WATCHING = Wishes(watch=True)
