"""Keeps every road into a guarded model checked: its generate, a plain call, a pipeline, a trainer.

Three places do it. The input embedding sees every id on every road, whatever wraps the model. The
decoder also sees the mask, the cache and embeddings that come in ready-made, so BOS is judged there.
`guard.enforcing.roads` checks the prompt of `generate` once and then lets the model's own tokens pass:
what it emits is counted by `generate`, not refused.

docs/border.md lists what is only noted or not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.base.shards import embedding_rows
from guard.enforcing import roads
from guard.enforcing.passing import close_window, open_window, passes
from guard.enforcing.positions import check_positions
from guard.enforcing.prefill import check_bos, check_padding
from guard.enforcing.raw_ids import RawIds
from guard.errors import SettingsError
from guard.files.hub import torch
from guard.prompts.state import GuardState, find_state, link_state, put_state

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def install(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, state: GuardState) -> None:
    """Put the checks on a model; they stay when it is wrapped, moved or copied."""
    put_state(model, state)
    link_state(tokenizer, state)
    watch = Watch(state, tokenizer)
    watch.follow(model.get_input_embeddings())
    decoder = model.get_decoder()
    decoder.register_forward_pre_hook(watch.decoder, with_kwargs=True)
    decoder.register_forward_hook(watch.after, always_call=True)
    roads.install(model, watch.raw)


class Watch:
    """The hooks of one model."""

    def __init__(self, state: GuardState, tokenizer: PreTrainedTokenizerBase) -> None:
        self.state = state
        self.tokenizer = tokenizer
        self.raw = RawIds(state, tokenizer)
        self.followed: torch.nn.Module | None = None
        self.rows: int | None = None

    def follow(self, embedding: torch.nn.Module) -> None:
        """Watch an embedding: the model's own, and the one that takes its place on a resize."""
        if embedding is not self.followed:
            embedding.register_forward_pre_hook(self.embedding, with_kwargs=True)
        self.followed, self.rows = embedding, embedding_rows(embedding)

    # The hooks stay traceable for torch.compile in a decoding step; a prompt breaks the graph.
    def embedding(self, _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Before the input embedding."""
        ids = args[0] if args else kwargs.get("input")
        if _is_prompt(ids):
            self.judge_ids(ids)

    def decoder(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Before the decoder."""
        ids = args[0] if args else kwargs.get("input_ids")
        if _is_prompt(ids):
            self.judge_batch(module, ids, kwargs)
        elif not torch.compiler.is_compiling():
            self.judge_step(module, ids, kwargs)

    def after(self, _module: Any, _args: Any, _output: Any) -> None:
        """After the decoder: what comes in next was not checked."""
        if not torch.compiler.is_compiling():
            close_window(self.state)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch is not followed
    def judge_ids(self, ids: torch.Tensor) -> None:
        """Check ids of several positions."""
        if not passes(self.state):
            self.note_trace()
            self.raw.check(ids)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch is not followed
    def judge_batch(self, module: Any, ids: torch.Tensor, kwargs: dict[str, Any]) -> None:
        """Check BOS and padding of a batch that begins a text."""
        embedding = module.get_input_embeddings()
        if embedding is not self.followed or embedding_rows(embedding) != self.rows:
            self.state.note(
                "embedding-replaced", hazards.CHAT_FORMAT_ON_BASE, rows=embedding_rows(embedding)
            )
            self.follow(embedding)
        if roads.is_paged(kwargs):
            open_window(self.state, always=True)
        if passes(self.state) or roads.is_filled(kwargs) or ids.dim() != 2:
            return
        mask = kwargs.get("attention_mask")
        if self.state.policy.bos_id is not None:
            check_bos(self.state.policy, ids, mask, may_lack=self._may_lack(module))
        if not module.training and not (mask is None and self._begins_anywhere(module)):
            check_padding(self.state.policy, ids, mask, generates=False)
            check_positions(module, ids, mask, kwargs.get("position_ids"))

    def judge_step(self, module: Any, ids: torch.Tensor | None, kwargs: dict[str, Any]) -> None:
        """Check a single position per row, or embeddings in place of ids."""
        if roads.is_paged(kwargs):
            open_window(self.state, always=True)
        if passes(self.state):
            return
        embeddings = kwargs.get("inputs_embeds")
        if ids is None:
            if embeddings is not None:
                self.raw.check_embeddings(embeddings, module.get_input_embeddings())
        elif roads.is_filled(kwargs):
            self.raw.check_step(ids)
        else:
            self.note_trace()
            self.raw.check(ids)
            if self.state.policy.bos_id is not None:
                mask = kwargs.get("attention_mask")
                check_bos(self.state.policy, ids, mask, may_lack=self._may_lack(module))

    def _begins_anywhere(self, module: Any) -> bool:
        """Whether rows are windows of a text that may begin with what they are padded with: the unknown token."""
        unknown = getattr(self.tokenizer, "unk_token_id", None)
        return (
            unknown is not None and unknown == self.state.policy.pad_id and self._may_lack(module)
        )

    def _may_lack(self, module: Any) -> bool:
        """Whether rows may begin in the middle of a text: those of training and its evaluations, and by request."""
        record = self.state.provenance
        return bool(
            module.training or record.for_training or "allow_missing_bos" in record.overrides
        )

    def note_trace(self) -> None:
        """Note that what is being made of the model now is a copy that has no hooks."""
        if torch.jit.is_tracing():
            self.state.note_once("traced")


def _is_prompt(ids: Any) -> bool:
    """Whether these are the ids of a prompt rather than of a decoding step."""
    if ids is None:
        return False
    if not isinstance(ids, torch.Tensor):
        raise SettingsError(
            f"the ids that came into the model are {type(ids).__name__}, and it takes a tensor",
            remedy="torch.tensor(ids), of shape (rows, positions)",
        )
    return bool(ids.dim() > 0 and (ids.dim() != 2 or ids.shape[-1] > 1))


def watch_of(model: PreTrainedModel) -> Watch:
    """The hooks of a guarded base model."""
    hooks = model.get_decoder()._forward_pre_hooks.values()
    owners = (getattr(hook, "__self__", None) for hook in hooks)
    return next(owner for owner in owners if isinstance(owner, Watch))


def is_guarded(model: object) -> bool:
    """Whether a model carries the guard."""
    return find_state(model) is not None
