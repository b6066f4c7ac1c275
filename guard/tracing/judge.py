"""Takes events as they come and gives facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

from cleanguard.catalogue import hazards
from guard.observing.events import (
    Batch,
    Broken,
    Change,
    Decode,
    Encode,
    Event,
    Generate,
    Load,
    Prefill,
    Render,
    Save,
    Write,
)
from guard.observing.recorder import Recorder
from guard.tracing import loads, settings
from guard.tracing.batches import Batches
from guard.tracing.facts import Fact, places
from guard.tracing.lineage import Lineage
from guard.tracing.prompts import Prompts
from guard.tracing.records import Records
from guard.tracing.subjects import Scope, Subjects
from guard.tracing.templates import Templates

_MOST_HELD = 64


class Judge:
    """What is known of a process's models, and the facts that follow."""

    def __init__(self, recorder: Recorder, scope: Scope) -> None:
        self.subjects = Subjects(recorder, scope)
        self.lineage = Lineage()
        self.prompts = Prompts(self.subjects, self.lineage)
        self.batches = Batches(self.subjects)
        self.templates = Templates(self.subjects)
        self.records = Records()
        # By the class of the event; those that give no facts are remembered.
        self._judged: dict[type[Event], Callable[[Any], Iterator[Fact] | None]] = {
            Load: self._load,
            Save: lambda save: loads.of_save(save, self.subjects),
            Change: self.templates.of_change,
            Decode: self.records.decoded,
            Write: self.records.written,
            Render: self.lineage.rendered,
            Encode: self._encode,
            Batch: self.batches.of_batch,
            Prefill: self._prefill,
            Broken: lambda broken: iter([self._broken(broken)]),
            Generate: self._generate,
        }
        # A prefill comes before the end of the generate call that it belongs to.
        self._prefills: dict[int, Prefill] = {}

    def facts(self, event: Event) -> Iterator[Fact]:
        """The facts that follow from an event."""
        judged = self._judged.get(type(event))
        return iter(()) if judged is None else judged(event) or iter(())

    def closing(self) -> Iterator[Fact]:
        """The facts that only the end of the run tells."""
        yield from self.templates.closing()
        yield from self.records.closing()

    def _load(self, load: Load) -> Iterator[Fact]:
        if load.subject is not None:
            self.subjects.loads[load.subject] = load
        return loads.of_load(load, self.subjects)

    def _encode(self, encode: Encode) -> None:
        self.subjects.used[encode.tokenizer] = None
        self.lineage.encoded(encode)
        self.prompts.encoded(encode)

    def _prefill(self, prefill: Prefill) -> Iterator[Fact]:
        if prefill.generation is not None:
            self._prefills[prefill.generation] = prefill
            while len(self._prefills) > _MOST_HELD:
                self._prefills.pop(next(iter(self._prefills)))
        if prefill.guarded or (prefill.batch is not None and prefill.generation is None):
            return
        if prefill.training and prefill.labels is not None:
            yield from self.batches.of_prefill(prefill)
        else:
            yield from self.prompts.of_prefill(prefill)

    def _broken(self, broken: Broken) -> Fact:
        name = self.subjects.called(broken.model)
        where = f"it begins in {broken.layer}, {broken.cause}" if broken.layer else broken.cause
        return Fact(
            hazards.BROKEN_SCORES,
            "error",
            broken.site,
            f"the scores of {name} are no numbers; {where}",
            related=places(broken)[1:],
            evidence=MappingProxyType({"rows": broken.rows, "layer": broken.layer}),
        )

    def _generate(self, generate: Generate) -> Iterator[Fact]:
        by_name = self.subjects.tokenizer_for(generate.model)
        if self.subjects.scope.severity(self.subjects.standing(generate.model, by_name)):
            self.records.generated(generate)
        prefill = self._prefills.pop(generate.number, None)
        if generate.guarded or not (generate.settings or prefill):
            return
        if prefill is not None and prefill.batch is not None:
            return  # a trainer that generates in the course of a step, as GRPO's does
        if generate.engine == "vllm":
            yield from self.prompts.of_engine(generate)
        elif prefill is not None:
            yield from self.prompts.of_padding(prefill, generate)
        row = generate.ids[0] if generate.ids else ()
        mask = generate.mask[0] if generate.mask else None
        origin = self.lineage.of(row, mask) if row else None
        tokenizer = origin.tokenizer if origin else by_name
        yield from settings.of_generate(generate, self.subjects, tokenizer)
