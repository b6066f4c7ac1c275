"""What lm_eval's requests ask for, in the guard's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from guard.errors import TemplateOnBaseError
from stages.harnesses.arguments import whole

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

_One = TypeVar("_One")
_PIECE = 1024  # requests between two looks at the progress, and into the cache
_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")


def options_of(request: Instance, *, usual: int, seed: int) -> tuple[list[str], dict[str, Any]]:
    """Stop strings, and keywords of `complete`.

    Args:
        request: Of `generate_until`.
        usual: New tokens where it does not say.
        seed: Of sampled texts.

    Raises:
        SettingsError: A number of tokens that is none.
    """
    given = dict(request.args[1])
    named_stops = given.pop("until", None) or []
    stops = [named_stops] if isinstance(named_stops, str) else list(named_stops)
    most = [given.pop(name) for name in _LENGTHS if name in given]
    given["max_new_tokens"] = whole("max_gen_toks", next(filter(None, most), usual))
    if given.get("do_sample") is False or given.get("temperature", 1) in (0, None):
        given.pop("temperature", None)
        given.pop("do_sample", None)
    if given.get("do_sample") or given.get("temperature"):
        given.setdefault("seed", seed)
    return [one for one in stops if one], given


def rows_of(batch_size: int | str | None, most: int | str | None) -> int | None:
    """Rows at a time; None for the guard's own number."""
    if batch_size is None or str(batch_size).startswith("auto"):
        return None if most is None else whole("max_batch_size", most)
    return whole("batch_size", batch_size)


def pieces(of: Sequence[_One]) -> Iterator[Sequence[_One]]:
    """A sequence in pieces of a bar's step."""
    return (of[start : start + _PIECE] for start in range(0, len(of), _PIECE))


def named(request: Instance) -> str:
    """What a message calls a request."""
    return f"task {request.task_name}, document {request.doc_id}"


def until(text: str, stops: Iterable[str]) -> str:
    """A text up to the first of its stop strings."""
    for stop in stops:
        text = text.split(stop)[0]
    return text


def no_template() -> TemplateOnBaseError:
    """What is raised where a template is asked for."""
    return TemplateOnBaseError(
        "lm_eval was told to apply a chat template",
        remedy="leave out --apply_chat_template: a base model is asked in plain text",
    )
