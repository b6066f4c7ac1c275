"""Which hazards a run looks for: resolves `select` and `ignore` entries to codes."""

from __future__ import annotations

from collections.abc import Iterable

from cleanguard.catalogue.hazards import BY_CODE, BY_NAME, CATALOGUE, UNREADABLE

ALL = "ALL"


class UnknownSelectorError(ValueError):
    """An entry of `select` or `ignore` that names no hazard; the message proposes the nearest one."""


def codes_of(entry: str) -> frozenset[str]:
    """The codes that one entry stands for: `ALL`, a code, a prefix such as `CG1`, or a name.

    Raises:
        UnknownSelectorError: It stands for none.
    """
    if entry == ALL:
        return frozenset(BY_CODE)
    if entry in BY_NAME:
        return frozenset({BY_NAME[entry].code})
    if entry.startswith("CG"):
        codes = frozenset(code for code in BY_CODE if code.startswith(entry))
        if codes:
            return codes
    raise UnknownSelectorError(f"{entry!r} is not a hazard{hint(entry)}")


def linted_codes_of(entry: str) -> frozenset[str]:
    """Like `codes_of`, for `select`: selecting what no lint rule looks for would pass for clean.

    Raises:
        UnknownSelectorError: It stands for no hazard, or only for hazards without a lint rule.
    """
    codes = codes_of(entry)
    linted = frozenset(code for code in codes if BY_CODE[code].linted)
    if not linted:
        guarded = all(BY_CODE[code].guarded for code in codes)
        instead = "only the runtime guard reports it" if guarded else "nothing looks for it yet"
        raise UnknownSelectorError(f"{entry!r} has no lint rule: {instead}")
    return linted


def resolve(
    select: Iterable[str], ignore: Iterable[str], extend: Iterable[str] = ()
) -> frozenset[str]:
    """The codes that a run reports; `ignore` wins, and no `select` means the defaults.

    `extend` adds to either.

    `CG900` (unreadable) always stays: a file that was not checked must not pass for clean.
    """
    chosen = [linted_codes_of(entry) for entry in select]
    wanted = (
        frozenset().union(*chosen)
        if chosen
        else frozenset(hazard.code for hazard in CATALOGUE if hazard.linted and hazard.default)
    )
    wanted = wanted.union(*(linted_codes_of(entry) for entry in extend))
    ignored = frozenset().union(*(codes_of(entry) for entry in ignore))
    return (wanted - ignored) | {UNREADABLE.code}


def hint(entry: str) -> str:
    """`; did you mean 'CG201'?` for the nearest code or name, or nothing."""
    for spelt in (entry.upper(), entry.lower()):
        if spelt == ALL or spelt in BY_NAME or any(code.startswith(spelt) for code in BY_CODE):
            return f"; did you mean {spelt!r}?"
    return did_you_mean(entry, (ALL, *BY_CODE, *BY_NAME))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'select'?` for the nearest of some known words, or nothing."""
    from difflib import get_close_matches

    by_folded = {candidate.casefold(): candidate for candidate in known}
    nearest = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[nearest[0]]!r}?" if nearest else ""
