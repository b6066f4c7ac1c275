"""Keeps every road into a guarded model checked: its generate, a plain call, a pipeline, a trainer.

Three places do it. The input embedding sees every id on every road, whatever wraps the model, and
is checked when more than one position comes in (a decoding step costs one comparison). The decoder
also sees the mask and the cache, so BOS is judged there. `model.generate` checks the prompt once
and then lets the model's own tokens pass: what it emits is counted by `generate`, not refused.

Not seen: ids that come in one at a time in a hand-written loop, and `inputs_embeds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.errors import ContaminationError, SettingsError
from guard.files.hub import torch
from guard.prompts.control_tokens import Hit
from guard.prompts.encoding import describe
from guard.prompts.positions import check_positions
from guard.prompts.prefill import check_bos, check_padding
from guard.prompts.state import GuardState, find_state, put_state, state_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_vetted: ContextVar[bool] = ContextVar("_vetted", default=False)
_lifted: ContextVar[frozenset[str]] = ContextVar("_lifted", default=frozenset())


def install(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, state: GuardState) -> None:
    """Put the checks on a model; they stay when it is wrapped, moved or copied."""
    put_state(model, state)
    put_state(tokenizer, state)
    watch = _Watch(state, tokenizer)
    watch.follow(model.get_input_embeddings())
    model.get_decoder().register_forward_pre_hook(watch.decoder, with_kwargs=True)
    # A partial, not a method: it can be pickled and copied with the model.
    model.generate = partial(_generate, model, watch)


@contextmanager
def vetted() -> Iterator[None]:
    """Prompts inside were checked already, so only the model's own tokens come in."""
    token = _vetted.set(True)
    try:
        yield
    finally:
        _vetted.reset(token)


def is_lifted(state: GuardState) -> bool:
    """Whether this runs inside an `unguarded` block of that model."""
    return state.key in _lifted.get()


@contextmanager
def unguarded(model: PreTrainedModel, *, reason: str) -> Iterator[None]:
    """Lift the prompt checks of one model inside a `with` block; recorded as an event.

    The block holds for the thread that entered it, and for this model: not for its copies, nor for
    the base that an adapter was attached to. Chat templates stay blocked.

    Args:
        model: A model that CleanModelLoader loaded.
        reason: Why; it stands in the provenance of everything made afterwards.

    Raises:
        SettingsError: The reason is empty.
        UnguardedModelError: The model has no guard to lift.
    """
    state = state_of(model)
    if not reason.strip():
        raise SettingsError("unguarded() without a reason", remedy="say why in `reason=`")
    state.note("unguarded", reason=reason)
    token = _lifted.set(_lifted.get() | {state.key})
    try:
        yield
    finally:
        _lifted.reset(token)


class _Watch:
    """The hooks of one model."""

    def __init__(self, state: GuardState, tokenizer: PreTrainedTokenizerBase) -> None:
        self.state = state
        self.tokenizer = tokenizer
        self.table: torch.Tensor | None = None
        self.followed: torch.nn.Module | None = None
        self.rows: int | None = None

    def follow(self, embedding: torch.nn.Module) -> None:
        """Watch an embedding: the model's own, and the one that takes its place on a resize."""
        if embedding is not self.followed:
            embedding.register_forward_pre_hook(self.embedding, with_kwargs=True)
        self.followed, self.rows = embedding, _rows(embedding)

    # Both hooks stay traceable for torch.compile in a decoding step; a prompt breaks the graph.
    def embedding(self, _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = args[0] if args else kwargs.get("input")
        if _is_batch(ids):
            self.judge_ids(ids)

    def decoder(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = args[0] if args else kwargs.get("input_ids")
        if _is_batch(ids):
            self.judge_batch(module, ids, kwargs)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch is not followed
    def judge_ids(self, ids: torch.Tensor) -> None:
        if not _vetted.get() and not is_lifted(self.state):
            self.check_control(ids)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch is not followed
    def judge_batch(self, module: Any, ids: torch.Tensor, kwargs: dict[str, Any]) -> None:
        embedding = module.get_input_embeddings()
        if embedding is not self.followed or _rows(embedding) != self.rows:
            self.state.note(
                "embedding-replaced", hazards.CHAT_FORMAT_ON_BASE, rows=_rows(embedding)
            )
            self.follow(embedding)
        cache = kwargs.get("past_key_values")
        if _vetted.get() or is_lifted(self.state) or (cache and cache.get_seq_length()):
            return
        mask = kwargs.get("attention_mask")
        if self.state.policy.bos_id is not None:
            check_bos(self.state.policy, ids, mask, may_lack=module.training)
        if not module.training:
            check_padding(self.state.policy, ids, mask, generates=False)
            check_positions(module, ids, mask, kwargs.get("position_ids"))

    def check_control(self, ids: torch.Tensor) -> None:
        control = self.state.policy.control
        if control.tokens and bool(self.lookup(ids).any()):
            for number, row in enumerate(ids.tolist()):
                hits = _without_padding(control.in_ids(row), row, self.state.policy.pad_id)
                if hits:
                    raise _contamination(hits, number, self.tokenizer.decode(row))
        if control.markers:
            silent = (self.state.policy.bos_id, self.state.policy.pad_id)
            for number, row in enumerate(ids.tolist()):
                text = self.tokenizer.decode([i for i in row if i not in silent])
                hits = [hit for hit in control.in_text(text) if hit.certain]
                if hits:
                    raise _contamination(hits, number, text)

    def lookup(self, ids: torch.Tensor) -> torch.Tensor:
        control = self.state.policy.control.ids
        if self.table is None or self.table.device != ids.device:
            table = torch.zeros(max(control) + 2, dtype=torch.bool)
            table[list(control)] = True
            self.table = table.to(ids.device)
        return self.table[ids.clamp(max=self.table.numel() - 1)]


def _generate(model: PreTrainedModel, watch: _Watch, *args: Any, **kwargs: Any) -> Any:
    plain, policy = type(model).generate, watch.state.policy
    ids = kwargs.get("input_ids", kwargs.get("inputs", args[0] if args else None))
    if ids is None or _vetted.get() or is_lifted(watch.state):
        return plain(model, *args, **kwargs)
    watch.check_control(ids)
    if kwargs.get("past_key_values") is None:
        mask = kwargs.get("attention_mask")
        if policy.bos_id is not None:
            check_bos(policy, ids, mask)
        check_padding(policy, ids, mask, generates=True)
    with vetted():
        return plain(model, *args, **kwargs)


def _rows(embedding: torch.nn.Module) -> int | None:
    weight = getattr(embedding, "weight", None)
    return None if weight is None else int(weight.shape[0])


def _is_batch(ids: Any) -> bool:
    """Whether these are the ids of a prompt rather than of a decoding step."""
    return ids is not None and ids.dim() == 2 and ids.shape[-1] > 1


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
    return ContaminationError(
        f"row {row} of the model's input holds {describe(hits)}, near {around!r}",
        evidence={"row": row, "hits": [asdict(hit) for hit in hits]},
    )


def watch_of(model: PreTrainedModel) -> _Watch:
    """The hooks of a guarded base model."""
    hooks = model.get_decoder()._forward_pre_hooks.values()
    owners = (getattr(hook, "__self__", None) for hook in hooks)
    return next(owner for owner in owners if isinstance(owner, _Watch))


def is_guarded(model: object) -> bool:
    """Whether a model carries the guard."""
    return find_state(model) is not None
