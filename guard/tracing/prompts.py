"""Prompts that reach a model: BOS, control tokens, templates, padding, what was cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import MappingProxyType
from typing import Any

from cleanguard.catalogue import hazards
from cleanguard.catalogue.hazards import Severity
from guard.observing.events import Encode, Event, Generate, Prefill, Rows
from guard.tracing.facts import Fact, places
from guard.tracing.lineage import Lineage, Origin, bare, pieces
from guard.tracing.subjects import Subjects, Tokens

_SHOWN = 8
_CHARACTERS = 60


class Prompts:
    """Judges the rows of prefills by the rules of the tokenizer that made them."""

    def __init__(self, subjects: Subjects, lineage: Lineage) -> None:
        self.subjects, self.lineage = subjects, lineage
        self._cut: dict[tuple[int, int], tuple[Encode, int]] = {}

    def encoded(self, encode: Encode) -> None:
        """Remember rows that lost their end; a fact once a model reads one."""
        limit = _limit(encode)
        if limit is None:
            return
        tokens = self.subjects.tokens(encode.tokenizer)
        for index, text in enumerate(encode.texts[: len(encode.ids)]):
            mask = encode.mask[index] if encode.mask else None
            kept = sum(mask) if mask else len(encode.ids[index])
            if kept < limit or tokens is None:
                continue
            with self.subjects.recorder.muted():
                whole = tokens.length(text, encode.special)
            if whole > kept:
                self._cut[(encode.number, index)] = (encode, whole)

    def of_prefill(self, prefill: Prefill) -> Iterator[Fact]:
        """What is wrong with the prompts of a forward pass that is no training."""
        if prefill.training and prefill.labels is not None:
            return
        yield from self._of_rows(
            prefill, prefill.model, prefill.ids, prefill.mask, prefill.positions, prefill.cached
        )

    def of_engine(self, generate: Generate) -> Iterator[Fact]:
        """What is wrong with the prompts that an engine says it was given."""
        yield from self._of_rows(generate, generate.model, generate.ids, None, None, 0)

    def _of_rows(
        self,
        event: Event,
        model: int,
        ids: Rows,
        masks: Rows | None,
        positions: Rows | None,
        cached: int,
    ) -> Iterator[Fact]:
        asked: dict[int, Tokens | None] = {}
        name = self.subjects.called(model)
        for number, row in enumerate(ids):
            mask = masks[number] if masks and len(masks) == len(ids) else None
            mask = mask if mask is not None and len(mask) == len(row) else None
            places_of_row = positions[number] if positions and len(positions) > number else None
            for piece in pieces(row, mask, places_of_row):
                origin = self.lineage.of(piece, None) or self.lineage.of(row, mask)
                piece = bare(piece, mask, origin)
                tokenizer = origin.tokenizer if origin else self.subjects.tokenizer_for(model)
                if tokenizer is None or not piece:
                    if piece:
                        self.subjects.recorder.blind(
                            f"the ids of {name} could not be tied to a "
                            "tokenizer, so BOS and control tokens were not judged"
                        )
                    continue
                if tokenizer not in asked:
                    asked[tokenizer] = self.subjects.tokens(tokenizer)
                tokens = asked[tokenizer]
                if tokens is not None:
                    yield from self._of_row(
                        event, model, tokenizer, tokens, piece, number, origin, cached, name
                    )

    def _of_row(
        self,
        event: Event,
        model: int,
        tokenizer: int,
        tokens: Tokens,
        row: tuple[int, ...],
        number: int,
        origin: Origin | None,
        cached: int,
        name: str,
    ) -> Iterator[Fact]:
        standing = self.subjects.standing(model, tokenizer)
        severity = self.subjects.scope.severity(standing)
        made = origin.encode if origin and origin.encode else None
        shown = partial(self._shown, tokens, row)
        at = _At(event, made, row, number, shown, name)
        policy = tokens.policy
        prefix = policy.prefix
        if prefix and not cached:
            leading = _leading(row, prefix)
            if leading > 1 and prefix != (policy.eos_id,):
                said = f"the prompt begins with BOS {_times(leading)}"
                yield at.fact(hazards.DOUBLE_BOS, "error", said)
            elif leading == 0 and severity is not None:
                bos = "".join(tokens.twin.convert_ids_to_tokens(list(prefix)))
                ids = ", ".join(map(str, prefix))
                said = f"the prompt lacks the BOS {bos!r} ({ids}) that {at.model} needs"
                sure = "warning" if policy.bos_doubt else severity
                yield at.fact(hazards.STRAY_NO_SPECIAL_TOKENS, sure, said)
        if standing == "chat" or severity is None:
            return
        if origin is not None and origin.render is not None:
            said = f"a chat template made this prompt of {at.model}, which is a base model"
            yield Fact(
                hazards.TEMPLATE_ON_BASE,
                severity,
                origin.render.site,
                f"{said}: {at.shown}",
                places(origin.render, made, event),
                at.evidence(),
            )
        else:
            yield from self._control(tokens, row, at, severity)
        if made is not None and origin is not None:
            yield from self._lost(made, origin.index, at)

    def _control(
        self, tokens: Tokens, row: tuple[int, ...], at: _At, severity: Severity
    ) -> Iterator[Fact]:
        policy = tokens.policy
        hits = [hit for hit in policy.control.in_ids(row) if row[hit.position] != policy.pad_id]
        if not hits and policy.control.markers:
            with self.subjects.recorder.muted():
                text = tokens.text(i for i in row if i not in (policy.bos_id, policy.pad_id))
            hits = [hit for hit in policy.control.in_text(text) if hit.certain]
        if hits:
            first = hits[0]
            where = f"at {first.unit} {first.position}"
            more = f", and {len(hits) - 1} more" if len(hits) > 1 else ""
            said = f"the prompt of {at.model} holds the control token {first.token!r} {where}{more}"
            found = {"hits": [[hit.token, hit.position, hit.unit] for hit in hits[:_SHOWN]]}
            yield at.fact(hazards.CONTROL_TOKEN_LITERAL, severity, said, found)

    def _lost(self, encode: Encode, index: int, at: _At) -> Iterator[Fact]:
        cut = self._cut.get((encode.number, index))
        if cut is not None:
            kept = len(at.row)
            said = f"the prompt was cut from {cut[1]} tokens to {kept} without a word"
            found = {"tokens": cut[1], "kept": kept}
            yield at.fact(hazards.SILENT_TRUNCATION, "warning", said, found)

    def of_padding(self, prefill: Prefill, generate: Generate) -> Iterator[Fact]:
        """Padding between prompt and answer, or read as part of the prompt."""
        if prefill.guarded or len(prefill.ids[:1]) == 0:
            return
        right = [n for n, mask in enumerate(prefill.mask or ()) if 1 in mask and not mask[-1]]
        if right:
            row = prefill.ids[right[0]]
            zeros = len(row) - max(at for at, on in enumerate(prefill.mask[right[0]]) if on) - 1  # type: ignore[index]
            origin = self.lineage.of(row, (prefill.mask or ())[right[0]])
            yield Fact(
                hazards.RIGHT_PADDING_GENERATION,
                "error",
                generate.site,
                f"{_rows(len(right), len(prefill.ids))} of the batch end in padding (row "
                f"{right[0]}: {zeros} pad tokens between the prompt and what is generated)",
                places(generate, origin.encode if origin else None),
                _evidence(row, right[0], mask=prefill.mask[right[0]]),  # type: ignore[index]
            )
            return
        for number, row in enumerate(prefill.ids):
            origin = self.lineage.of(row, None)
            made = origin.encode if origin else None
            mask = made.mask[origin.index] if made and origin and made.mask else None
            seen = prefill.mask[number] if prefill.mask else None
            if made is None or mask is None or 0 not in mask or len(mask) != len(row):
                continue
            if seen is None or 0 not in seen:
                yield Fact(
                    hazards.RIGHT_PADDING_GENERATION,
                    "error",
                    generate.site,
                    f"row {number} of the batch has {mask.count(0)} pad tokens and came without "
                    "its attention_mask: they are read as part of the prompt",
                    places(generate, made),
                    _evidence(row, number, mask=mask),
                )
                return

    def _shown(self, tokens: Tokens, row: tuple[int, ...]) -> str:
        with self.subjects.recorder.muted():
            text = tokens.text(row[: 4 * _SHOWN])
        text = text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + "…"
        ids = ", ".join(map(str, row[:_SHOWN])) + (", …" if len(row) > _SHOWN else "")
        return f"[{ids}] = {text!r}"


class _At:
    """A row of a prompt, where it was made and where it was read."""

    def __init__(
        self,
        event: Event,
        made: Encode | None,
        row: tuple[int, ...],
        number: int,
        shown: Callable[[], str],
        model: str,
    ) -> None:
        self.event, self.made, self.row, self.number = event, made, row, number
        self._shown, self.model = shown, model

    @property
    def shown(self) -> str:
        """The first ids with their text; decoded only where there is something to say."""
        return self._shown()

    def evidence(self, **more: Any) -> MappingProxyType[str, Any]:
        return _evidence(self.row, self.number, text=self.shown, **more)

    def fact(
        self,
        hazard: hazards.Hazard,
        severity: Severity,
        said: str,
        found: dict[str, Any] | None = None,
    ) -> Fact:
        """A fact at the call that made the row; at the model where it was made by hand."""
        source = self.made or self.event
        return Fact(
            hazard,
            severity,
            source.site,
            f"{said}: {self.shown}",
            places(source, self.event),
            self.evidence(**(found or {})),
        )


def _evidence(row: tuple[int, ...], number: int, **more: Any) -> MappingProxyType[str, Any]:
    return MappingProxyType({"row": number, "ids": list(row[:64]), "tokens": len(row), **more})


def _limit(encode: Encode) -> int | None:
    """The most tokens that a call leaves of a text; None where it cuts nothing."""
    truncation = encode.asked.get("truncation")
    limit = encode.asked.get("max_length")
    if truncation in (False, "do_not_truncate"):
        return None
    # What does not fit is handed out in further rows; and words that were split have no text.
    if encode.asked.get("return_overflowing_tokens") or encode.asked.get("is_split_into_words"):
        return None
    if truncation is None and (limit is None or encode.asked.get("padding") == "max_length"):
        return None
    if isinstance(limit, int):
        return limit
    # `truncation=True` alone cuts at what the tokenizer knows as the model's length.
    return max((len(row) for row in encode.ids), default=None)


def _leading(row: tuple[int, ...], prefix: tuple[int, ...]) -> int:
    """How often a row begins with a family's BOS, which may be several ids."""
    size, number = len(prefix), 0
    while row[number * size : (number + 1) * size] == prefix:
        number += 1
    return number


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def _rows(some: int, all_of: int) -> str:
    return f"{some} of {all_of} rows"
