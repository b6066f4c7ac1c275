"""Batches that a model is trained on: end tokens without loss, a second BOS, loss on prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from cleanguard.catalogue import hazards
from guard.observing.events import Batch, Event, Prefill, Rows
from guard.tracing.facts import Fact, places
from guard.tracing.lineage import pieces
from guard.tracing.subjects import Subjects, Tokens

_MASKED = -100


class Batches:
    """Judges training rows and counts what carries loss."""

    def __init__(self, subjects: Subjects) -> None:
        self.subjects = subjects
        self.counts: Counter[str] = Counter()

    def of_batch(self, batch: Batch) -> Iterator[Fact]:
        """A trainer's batch."""
        number = batch.tokenizer or self.subjects.tokenizer_for(batch.model)
        tensors = batch.tensors
        for name, ids in tensors.items():
            if not name.endswith("input_ids"):
                continue
            stem = name.removesuffix("input_ids")
            labels = tensors.get(f"{stem}labels") or tensors.get("labels")
            mask = tensors.get(f"{stem}attention_mask")
            completion = tensors.get(f"{stem}completion_mask")
            if labels is None and completion is not None:
                labels = _labels_from(ids, completion)
            yield from self._rows(
                batch, number, ids, mask, labels, tensors.get("position_ids"), batch.collator
            )

    def of_prefill(self, prefill: Prefill) -> Iterator[Fact]:
        """A training step that is written by hand."""
        number = self.subjects.tokenizer_for(prefill.model)
        yield from self._rows(
            prefill, number, prefill.ids, prefill.mask, prefill.labels, prefill.positions, None
        )

    def _rows(
        self,
        event: Event,
        tokenizer: int | None,
        ids: Rows,
        masks: Rows | None,
        labels: Rows | None,
        positions: Rows | None,
        collator: str | None,
    ) -> Iterator[Fact]:
        tokens = None if tokenizer is None else self.subjects.tokens(tokenizer)
        if tokens is None:
            self.subjects.recorder.blind("training rows could not be tied to a tokenizer")
            return
        for number, row in enumerate(ids):
            mask = masks[number] if masks and len(masks) == len(ids) else None
            place = positions[number] if positions and len(positions) == len(ids) else None
            label = labels[number] if labels and len(labels) == len(ids) else None
            self.counts["rows"] += 1
            self.counts["tokens"] += sum(mask) if mask else len(row)
            for piece in pieces(row, mask, place):
                yield from self._bos(event, tokens, piece, number)
            if label is not None and len(label) == len(row):
                yield from self._loss(event, tokens, row, mask, label, number, collator)

    def _bos(
        self, event: Event, tokens: Tokens, row: tuple[int, ...], number: int
    ) -> Iterator[Fact]:
        prefix = tokens.policy.prefix
        alone = prefix in ((), (tokens.policy.eos_id,))
        if alone or row[: 2 * len(prefix)] != prefix * 2:
            return
        self.counts["rows with a second BOS"] += 1
        text = tokens.text(row[:24])
        rendered = bool(tokens.policy.control.in_ids(row) or tokens.policy.control.in_text(text))
        hazard = hazards.TEMPLATED_TEXT_RETOKENIZED if rendered else hazards.DOUBLE_BOS
        kind = "rendered chat text" if rendered else "a row"
        yield Fact(
            hazard,
            "error",
            event.site,
            f"{kind} is trained on with BOS twice: {list(row[:6])} = {text!r}",
            places(event),
            MappingProxyType({"row": number, "ids": list(row[:64]), "text": text}),
        )

    def _loss(
        self,
        event: Event,
        tokens: Tokens,
        row: tuple[int, ...],
        mask: tuple[int, ...] | None,
        label: tuple[int, ...],
        number: int,
        collator: str | None,
    ) -> Iterator[Fact]:
        policy = tokens.policy
        real = [at for at in range(len(row)) if mask is None or mask[at]]
        carried = [at for at in real if label[at] != _MASKED]
        self.counts["tokens with loss"] += len(carried)
        ends = [at for at in real if row[at] == policy.eos_id]
        # Without a mask, what stands behind the first end is padding.
        if mask is None and policy.pad_id == policy.eos_id:
            ends = ends[:1]
        masked = [at for at in ends if label[at] == _MASKED and at - 1 in set(carried)]
        self.counts["ends with loss"] += sum(label[at] != _MASKED for at in ends)
        self.counts["ends without loss"] += len(masked)
        turns = [at for at in carried if row[at] in policy.control.ids]
        if turns and self._prompt_has_loss(tokens, row, label):
            self.counts["rows with loss on a chat prompt"] += 1
        if masked:
            at = masked[0]
            name = tokens.twin.convert_ids_to_tokens(row[at])
            same = ", which is the pad token as well" if policy.pad_id == policy.eos_id else ""
            by = f"{collator} gives" if collator else "the labels give"
            yield Fact(
                hazards.EOS_MASKED,
                "error",
                event.site,
                f"{by} the end token {name!r} ({row[at]}){same} no loss: row {number} "
                f"ends [… {row[at - 1]}, {row[at]}] with labels [… {label[at - 1]}, {label[at]}]",
                places(event),
                MappingProxyType(
                    {"row": number, "ids": list(row[-64:]), "labels": list(label[-64:])}
                ),
            )

    def _prompt_has_loss(
        self, tokens: Tokens, row: tuple[int, ...], label: tuple[int, ...]
    ) -> bool:
        """Whether the first turn of a chat, which is the user's, carries loss."""
        first = next(
            (at for at, index in enumerate(row) if index in tokens.policy.control.ids), None
        )
        return first is not None and label[first] != _MASKED


def _labels_from(ids: Rows, completion: Rows) -> Rows:
    """Labels as a trainer makes them from a mask of the completion."""
    found: list[tuple[int, ...]] = []
    for row, kept in zip(ids, completion, strict=False):
        found.append(tuple(i if on else _MASKED for i, on in zip(row, kept, strict=False)))
    return tuple(found)


def summary(counts: Counter[str]) -> dict[str, Any]:
    """The counts of a process's training rows, for the report."""
    return dict(counts)
