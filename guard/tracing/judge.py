"""Takes events as they come and gives facts."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

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
        # A prefill comes before the end of the generate call that it belongs to.
        self._prefills: dict[int, Prefill] = {}

    def facts(self, event: Event) -> Iterator[Fact]:
        """The facts that follow from an event."""
        if isinstance(event, Load):
            if event.subject is not None:
                self.subjects.loads[event.subject] = event
            yield from loads.of_load(event, self.subjects)
        elif isinstance(event, Save):
            yield from loads.of_save(event, self.subjects)
        elif isinstance(event, Change):
            yield from self.templates.of_change(event)
        elif isinstance(event, Decode):
            self.records.decoded(event)
        elif isinstance(event, Write):
            self.records.written(event)
        elif isinstance(event, Render):
            self.lineage.rendered(event)
        elif isinstance(event, Encode):
            self.subjects.used[event.tokenizer] = None
            self.lineage.encoded(event)
            self.prompts.encoded(event)
        elif isinstance(event, Batch):
            yield from self.batches.of_batch(event)
        elif isinstance(event, Prefill):
            yield from self._prefill(event)
        elif isinstance(event, Broken):
            yield self._broken(event)
        elif isinstance(event, Generate):
            standing = self.subjects.standing(event.model, self.subjects.tokenizer_for(event.model))
            if self.subjects.scope.severity(standing) is not None:
                self.records.generated(event)
            yield from self._generate(event)

    def closing(self) -> Iterator[Fact]:
        """The facts that only the end of the run tells."""
        yield from self.templates.closing()
        yield from self.records.closing()

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
        tokenizer = origin.tokenizer if origin else self.subjects.tokenizer_for(generate.model)
        yield from settings.of_generate(generate, self.subjects, tokenizer)
