"""Looks through ids that reach a model past the guard's own encoding: control tokens, chat text, embeddings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from guard.enforcing.passing import vetted
from guard.errors import ContaminationError
from guard.files.hub import torch
from guard.prompts.control_tokens import ControlSet, Hit
from guard.prompts.encoding import describe
from guard.prompts.policy import policy_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from cleanguard.catalogue.hazards import Hazard
    from guard.prompts.policy import PromptPolicy

# No mark of another family's chat can be spelt without a token that holds one of these.
_PARTS_OF_MARKS = (">", "|")


class Ruled(Protocol):
    """A model's rules, and where it is noted what became of them."""

    key: str
    policy: PromptPolicy

    def note(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """Record an event."""

    def note_once(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """Record an event that would only repeat itself."""


class RawIds:
    """Judges ids for one model.

    Args:
        state: The guard of the model.
        tokenizer: Its tokenizer; tokens that are added to it later count as well.
    """

    def __init__(self, state: Ruled, tokenizer: PreTrainedTokenizerBase) -> None:
        self.state = state
        self.tokenizer = tokenizer
        self._size = len(tokenizer)
        self._control = state.policy.control
        self._tables: dict[str, torch.Tensor] = {}

    @property
    def control(self) -> ControlSet:
        """The control tokens as of now."""
        size = len(self.tokenizer)
        if size != self._size:
            known = self._control
            # A token that was there before is what it was, whatever the script calls it now.
            grown = policy_of(self.tokenizer).control
            self._control = known.joined(grown.without(range(self._size)))
            new = [name for index, name in self._control.tokens if index not in known.ids]
            self.state.note("tokens-added", tokens=size - self._size, control=new)
            self._size = size
            self._tables.clear()
        return self._control

    def check(self, ids: torch.Tensor) -> None:
        """Raise ContaminationError for ids, of any shape, whose last axis runs along a text."""
        rows = ids.reshape(-1, ids.shape[-1]) if ids.dim() != 2 else ids
        control, policy = self.control, self.state.policy
        if control.tokens and bool(self._among(rows, "control").any()):
            for number, row in enumerate(rows.tolist()):
                hits = _without_padding(control.in_ids(row), row, policy.pad_id)
                if hits:
                    raise _contamination(hits, number, self.tokenizer.decode(row))
        foreign = policy.special_tokens == "refuse"
        if control.markers or (foreign and bool(self._among(rows, "marks").any())):
            silent = {*policy.prefix, policy.pad_id}
            for number, row in enumerate(rows.tolist()):
                text = self.tokenizer.decode([i for i in row if i not in silent])
                hits = [hit for hit in control.in_text(text, foreign=foreign) if hit.certain]
                if hits:
                    raise _contamination(hits, number, text)

    def check_step(self, ids: torch.Tensor) -> None:
        """Note control tokens among ids that follow a cache one at a time: the model's own, or a prompt's."""
        control = self.control
        if control.tokens and bool(self._among(ids, "control").any()):
            known = dict(control.tokens)
            names = sorted({known[i] for i in ids.flatten().tolist() if i in known})
            self.state.note_once("control-token-in-a-step", tokens=names)

    def check_embeddings(self, given: torch.Tensor, embedding: torch.nn.Module) -> None:
        """Refuse embeddings, of shape (…, width), that are a control token's; note all others.

        Raises:
            ContaminationError: A position holds exactly what the embedding gives for a control token.
        """
        self.state.note_once("inputs-embeds")
        control = self.control
        weight = getattr(embedding, "weight", None)
        if not control.tokens or weight is None or weight.device.type == "meta":
            return
        with torch.no_grad(), vetted(self.state):
            known = torch.tensor(control.ids, device=weight.device)
            rows = embedding(known[known < weight.shape[0]]).to(given.device, given.dtype)
            flat = given.detach().reshape(-1, given.shape[-1])
            if rows.shape[-1] != flat.shape[-1]:
                return
            likely = torch.isin(flat[:, 0], rows[:, 0]).nonzero().flatten().tolist()
            for at in likely:
                same = (rows == flat[at]).all(dim=-1).nonzero().flatten().tolist()
                # A vocabulary's unused rows may all be zero, and say nothing then.
                if same and bool(flat[at].any()):
                    row, position = divmod(at, given.shape[-2])
                    hit = Hit(control.tokens[same[0]][1], position, "token")
                    raise _contamination([hit], row, hit.token)

    def _among(self, ids: torch.Tensor, which: str) -> torch.Tensor:
        table = self._tables.get(which)
        if table is None or table.device != ids.device:
            found = self._control.ids if which == "control" else self._marks()
            table = torch.zeros(max(found, default=0) + 2, dtype=torch.bool)
            table[list(found)] = True
            self._tables[which] = table = table.to(ids.device)
        return table[ids.clamp(min=0, max=table.numel() - 1)]

    def _marks(self) -> list[int]:
        vocabulary = self.tokenizer.get_vocab()
        return [
            index
            for token, index in vocabulary.items()
            if any(part in token for part in _PARTS_OF_MARKS)
        ]


def _without_padding(hits: list[Hit], row: list[int], pad: int | None) -> list[Hit]:
    """Drops hits in the runs of padding at both ends of a row."""
    if pad is None or not hits:
        return hits
    first, last = 0, len(row)
    while first < last and row[first] == pad:
        first += 1
    while last > first and row[last - 1] == pad:
        last -= 1
    return [hit for hit in hits if first <= hit.position < last]


def _contamination(hits: list[Hit], row: int, text: str) -> ContaminationError:
    where = max(text.find(hits[0].token), 0)
    around = text[max(0, where - 30) : where + len(hits[0].token) + 30]
    evidence: dict[str, Any] = {"row": row, "hits": [asdict(hit) for hit in hits]}
    return ContaminationError(
        f"row {row} of the model's input holds {describe(hits)}, near {around!r}", evidence=evidence
    )
