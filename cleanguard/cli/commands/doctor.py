"""`cleanguard doctor`: what a model is, told from its files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from cleanguard.cli.exit_codes import CLEAN, FINDINGS
from cleanguard.cli.named import named_model
from cleanguard.cli.progress import waiting
from cleanguard.errors import JobError
from cleanguard.report.escaping import printable
from cleanguard.report.hidden import as_document, hidden_lines
from cleanguard.report.spoken import put
from cleanguard.report.styled import Line, Span, width_of, wrapped, write

if TYPE_CHECKING:
    from guard.behaviour import Behaviour
    from guard.doctor import Diagnosis

_WIDTH = 100
_SHOWN = 12
_STANDING = {
    "base": "base model by its id, and nothing speaks against it",
    "chat": "chat model",
    "unknown": "nothing says chat; the id does not say base either",
}


@click.command("doctor")
@click.argument("model")
@click.option("--revision", help="Branch, tag or commit of a hub repository.")
@click.option("--cache-dir", type=click.Path(), help="The hub cache to use.")
@click.option("--offline", is_flag=True, help="Look into the hub cache only.")
@click.option("--trust-remote-code", is_flag=True, help="Run the tokenizer's own code.")
@click.option(
    "--behaviour",
    is_flag=True,
    help="Load the weights and see whether it acts like a chat model; advice, no verdict.",
)
@click.option(
    "--output-format",
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    revision: str | None,
    cache_dir: str | None,
    offline: bool,
    trust_remote_code: bool,
    behaviour: bool,
    output_format: str,
) -> None:
    """Say what MODEL is: a directory, a hub id, or `tiny`. Weights are neither fetched nor read.

    Family, base or chat and by what evidence, BOS, control tokens, templates, generation settings,
    adapters, licence and size.

    Exit codes: 0 it loads as a base model, 1 CleanModelLoader refuses it, 2 it cannot be examined.
    """
    from guard.errors import GuardError
    from guard.files.naming import refuse_no_model

    options: dict[str, Any] = {
        "revision": revision,
        "cache_dir": cache_dir,
        "local_files_only": offline,
        "trust_remote_code": trust_remote_code,
    }
    try:
        refuse_no_model(model)  # before torch is imported
        with waiting("Examining"):
            from guard.doctor import diagnose
            from guard.loader import CleanModelLoader

            found = diagnose(CleanModelLoader(named_model(model), **options).request)
            acts = _behaviour(model, options) if behaviour else None
    except GuardError as error:
        raise JobError(str(error)) from error
    if output_format == "json":
        plain = found.to_dict()
        if acts is not None:
            plain["behaviour"] = acts.to_dict()
        put(as_document(plain))
    else:
        write(
            hidden_lines([*_lines(found), *(_acts(acts) if acts is not None else ())]), sys.stdout
        )
    ctx.exit(FINDINGS if found.refused else CLEAN)


def _behaviour(model: str, options: Mapping[str, Any]) -> Behaviour:
    from guard.behaviour import behaviour_of
    from guard.loader import CleanModelLoader

    loaded = CleanModelLoader(named_model(model), allow_chat_model=True, **options).load()
    return behaviour_of(loaded.model, loaded.tokenizer)


def _lines(found: Diagnosis) -> Iterator[Line]:
    colour = {"base": "bold green", "chat": "bold red"}.get(found.standing, "bold yellow")
    yield [Span(printable(found.model_id), "bold")]
    yield from _row("Is a", _STANDING[found.standing], colour)
    for reason in found.evidence:
        yield from _row("", reason)
    yield from _row("Family", f"{found.family or 'unknown'}, {found.architecture or 'unknown'}")
    yield from _row("Size", _size(found))
    yield from _row("Context", f"{found.context:,} positions" if found.context else "unknown")
    yield from _row("BOS", _bos(found))
    yield from _row("EOS, pad", f"{found.eos}, {found.pad}")
    yield from _row("Control", _control(found))
    templates = [f"{t.name} ({t.length} characters, {t.sha256[:8]})" for t in found.templates]
    yield from _row("Templates", ", ".join(templates) or "none")
    settings = ", ".join(f"{name}={value}" for name, value in found.generation.items())
    yield from _row("Generation", settings or "no surprises")
    yield from _row("Licence", ", ".join(found.licence) or "no file, and no model card here")
    where = found.path if found.revision is None else f"{found.path} at {found.revision}"
    yield from _row("Read from", where)
    for remark in found.remarks:
        style = "bold red" if remark.refused else "bold yellow"
        head = [Span(f"{'refused' if remark.refused else 'note':<12}", style)]
        yield from wrapped(
            head, printable(f"{remark.code} {remark.name}: {remark.text}".strip()), _columns()
        )


def _row(label: str, text: str, style: str = "") -> list[Line]:
    return wrapped([Span(f"{label:<12}", "cyan")], printable(text), _columns(), style)


def _columns() -> int | None:
    width = width_of(sys.stdout)
    return None if width is None else min(width, _WIDTH)


def _size(found: Diagnosis) -> str:
    if found.weights is None:
        return "no weights here"
    kinds = ", ".join(found.weights.dtypes)
    return f"{found.weights.parameters:,} parameters ({kinds}), {found.weights.size:,} bytes"


def _bos(found: Diagnosis) -> str:
    if not found.bos_prefix:
        return "none, and none is added"
    tokens = " ".join(found.bos_tokens)
    by = "added by the tokenizer" if found.bos_source == "tokenizer" else "inserted by the guard"
    return f"exactly one {tokens} {list(found.bos_prefix)}, {by}"


def _control(found: Diagnosis) -> str:
    shown = [f"{text} {index}" for index, text in found.control[:_SHOWN]]
    shown += [f"{marker!r} as text" for marker in found.markers]
    more = len(found.control) - _SHOWN
    return ", ".join(shown) + (f", and {more} more" if more > 0 else "") if shown else "none"


def _acts(acts: Behaviour) -> Iterator[Line]:
    mass = "not measurable" if acts.turn_end_mass is None else f"{acts.turn_end_mass:.2g}"
    yield from _row("Acts like", f"{acts.impression} (advice, no verdict)")
    yield from _row(
        "", f"turn-end mass {mass}, {acts.stopped:.0%} of bare requests ended by itself"
    )
    yield from _row("", f"{acts.marked:.0%} of the replies with chat phrases or control tokens")
