"""What a load says about the hub: an id or a path, a pinned revision, remote code."""

from __future__ import annotations

import re

from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.joins import Constant, ModelId, Unknown, options

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*/?)?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def is_hub_id(model: ModelId) -> bool:
    """Whether the text can only be a repository of the hub, not a folder."""
    return model.text is not None and _HUB_ID.match(model.text) is not None


def is_pinned(args: Arguments) -> bool | None:
    """Whether a 40-hex revision is given; None where the program decides."""
    given = args.get("revision")
    if given is None:
        return None if args.opaque else False
    found = list(options(given.value))
    if any(isinstance(option, Unknown) or not isinstance(option, Constant) for option in found):
        return None
    return all(
        isinstance(option, Constant)
        and not option.optional
        and _COMMIT.match(str(option.value)) is not None
        for option in found
    )


def runs_remote_code(args: Arguments) -> bool:
    """Whether `trust_remote_code=True` is said, also by a default."""
    given = args.get("trust_remote_code")
    return given is not None and any(
        isinstance(option, Constant) and option.value is True for option in options(given.value)
    )
