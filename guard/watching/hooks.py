"""Looks at what comes into a watched model: ids at its embedding, BOS and padding at its decoder.

The model's methods stay its own. Inside `torch.compile`, a trace or the capture of a CUDA graph nothing is
looked at: it would break the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeGuard

from guard.base import caches
from guard.enforcing.passing import passes
from guard.enforcing.prefill import check_bos, check_padding
from guard.enforcing.raw_ids import RawIds
from guard.enforcing.roads import is_filled
from guard.files.hub import torch
from guard.watching.beside import Beside, attributes, is_module, within
from guard.watching.told import WatchState, telling

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


# A number that torch gives to no hook: what is made of a model's hooks, as the fingerprints of `datasets`, is always
# the same.
_NUMBER = -1
# An object of a script's own holds another that holds the model.
_DEEPEST = 2
_judges: Beside[Prompts] = Beside()


def put_hooks(model: PreTrainedModel, prompts: Prompts) -> None:
    """Look at what comes into a model from now on."""
    _put(model.get_input_embeddings(), _Hook(prompts.embedding))
    _put(model.get_decoder(), _Hook(prompts.decoder))
    _judges.put(model, prompts)


def _put(module: torch.nn.Module, hook: _Hook) -> None:
    number = module.register_forward_pre_hook(hook, with_kwargs=True).id
    for table in (module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs):
        table[_NUMBER] = table.pop(number)


def judge_of(model: Any) -> Prompts | None:
    """What judges the prompts of a watched model, also through a wrapper; None for any other."""
    return within(_judges, model)


def holds_watched(model: Any) -> bool:
    """Whether something that generates holds a watched model somewhere, which tells for itself what comes into it.

    Args:
        model: A module around a model, or any object with one among its attributes, or theirs.
    """
    return any(
        _judges.get(part) is not None
        for one in _modules_in(model, _DEEPEST)
        for part in torch.nn.Module.modules(one)
    )


def _modules_in(held: Any, depth: int) -> Iterator[Any]:
    if is_module(held):
        yield held
    elif depth:
        for one in attributes(held):
            yield from _modules_in(one, depth - 1)


class _Hook:
    """A hook that stays behind where its model is copied or pickled."""

    def __init__(self, look: Callable[[Any, dict[str, Any], Any], None]) -> None:
        self._look = look

    def __call__(self, module: Any, args: Any, kwargs: dict[str, Any] | None = None) -> None:
        # Who copies hooks to another module may leave the keywords out.
        if not torch.compiler.is_compiling() and not torch.jit.is_tracing():
            self._look(args, kwargs or {}, module)

    def __reduce__(self) -> tuple[Any, ...]:
        # Python's own, and does nothing whatever it is given: a pickle is read where no cleanguard is.
        return getattr, (nullcontext(), "__exit__")


class Prompts:
    """Judges the prompts of one watched model, and tells what a guarded one would refuse.

    Args:
        state: Of the model.
        tokenizer: The one that lies beside it.
    """

    def __init__(self, state: WatchState, tokenizer: PreTrainedTokenizerBase) -> None:
        self.state = state
        self._raw = RawIds(state, tokenizer)

    def embedding(self, args: Any, kwargs: dict[str, Any], _module: Any) -> None:
        """Before the input embedding."""
        ids = args[0] if args else kwargs.get("input")
        if _is_prompt(ids) and not passes(self.state):
            with telling(self.state), torch.no_grad():
                self._raw.check(ids)

    def decoder(self, args: Any, kwargs: dict[str, Any], module: Any) -> None:
        """Before the decoder."""
        ids = args[0] if args else kwargs.get("input_ids")
        if not _is_prompt(ids) or ids.dim() != 2 or passes(self.state) or is_filled(kwargs):
            return
        with telling(self.state), torch.no_grad():
            self._judge_shape(ids, kwargs.get("attention_mask"), module.training, generates=False)

    def given(self, ids: Any, mask: Any, kwargs: Mapping[str, Any]) -> None:
        """What a call of `generate` is given: ids of shape (rows, positions), and their mask."""
        if not isinstance(ids, torch.Tensor) or ids.dim() != 2:
            return
        with telling(self.state), torch.no_grad():
            self._raw.check(ids)
        if not any(kwargs.get(name) is not None for name in caches.NAMES):
            with telling(self.state), torch.no_grad():
                self._judge_shape(ids, mask, training=False, generates=True)

    def _judge_shape(self, ids: Any, mask: Any, training: bool, *, generates: bool) -> None:
        policy = self.state.policy
        mask = mask if isinstance(mask, torch.Tensor) and mask.shape == ids.shape else None
        if policy.bos_id is not None:
            with telling(self.state):
                check_bos(policy, ids, mask, may_lack=training)
        if not training:
            check_padding(policy, ids, mask, generates=generates)


def _is_prompt(ids: Any) -> TypeGuard[torch.Tensor]:
    """Whether these are the ids of a prompt, on a device that can be asked for them now."""
    if not isinstance(ids, torch.Tensor) or ids.dim() == 0 or ids.shape[-1] < 2:
        return False
    return not (ids.is_cuda and torch.cuda.is_current_stream_capturing())
