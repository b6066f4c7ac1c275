"""What a program asks of its models, seen at the places that every road goes through.

Three places of the real libraries are watched, and nothing is changed there:

- the `forward` of the causal models: ids, mask, padding side, dtype, training mode, logits;
- `generate`'s decoding loops, which get the settings after all merging, as processors and criteria;
- the guard's `complete`, only to know which rows belong to one call of the program.

The two tokens that the guard reads when it attaches an adapter are no call of the program.

Drawing is taken out in both ways of running a program (the most probable token of the cut distribution is taken), so
that the texts of a sampling program can be compared as well; its settings are compared as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from transformers.generation import logits_process, stopping_criteria
from transformers.generation.utils import GenerationMixin

import guard.adapters.fit as guard_fit
import guard.generation.batches as guard_batches
import guard.settings.sampling as guard_sampling

FORWARDS = (transformers.Qwen2ForCausalLM, transformers.LlamaForCausalLM)
_TOP = 3


@dataclass(slots=True)
class Row:
    """A row of a forward pass, or of a generation.

    Attributes:
        ids: What the model reads, without what the mask hides.
        logits: The largest of the last position, with their ids.
        new: What was generated behind it, without what fills the row up.
    """

    ids: list[int]
    logits: list[tuple[int, float]]
    new: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """One call of a model by the program.

    Attributes:
        kind: `generate` or `forward`.
        rows: In ascending order of their ids; the order within a batch is nobody's business.
        said: Settings, dtype, training mode and the like, by name.
        loss: Of a forward pass with labels.
    """

    kind: str
    rows: list[Row]
    said: dict[str, Any]
    loss: float | None = None


class Recorder:
    """Collects the calls of one run."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.depth = 0
        self.group: Call | None = None
        self.prefilled = False

    @contextmanager
    def grouped(self) -> Iterator[None]:
        """All that is generated inside is one call of the program."""
        outer = self.group
        if outer is None:
            self.group = Call("generate", [], {})
            self.calls.append(self.group)
        try:
            yield
        finally:
            if outer is None and self.group is not None:
                self.group.rows.sort(key=lambda row: (row.ids, row.new))
                self.group = None


_now: Recorder | None = None


@contextmanager
def recording() -> Iterator[Recorder]:
    """Watch what runs inside."""
    global _now
    outer, _now = _now, Recorder()
    try:
        yield _now
    finally:
        _now = outer


def install() -> None:
    """Put the watches into the libraries of this process, once."""
    for kind in FORWARDS:
        kind.forward = _watched_forward(kind.forward)
    GenerationMixin.generate = _watched_generate(GenerationMixin.generate)
    for name in ("_sample", "_beam_search"):
        setattr(GenerationMixin, name, _watched_loop(getattr(GenerationMixin, name)))
    guard_batches.complete = _as_one(guard_batches.complete)
    guard_fit._refuse_mute = _unseen(guard_fit._refuse_mute)
    # The library's own loop is what is watched; that the guard's decodes the same has tests of its own.
    guard_batches.graphs.settle_engine = lambda *_: "plain"
    torch.multinomial = _most_probable
    guard_sampling.SeededSampling.__call__ = _without_noise


def _as_one(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def complete(*args: Any, **kwargs: Any) -> Any:
        if _now is None:
            return plain(*args, **kwargs)
        with _now.grouped():
            return plain(*args, **kwargs)

    return complete


def _unseen(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def trial(*args: Any, **kwargs: Any) -> Any:
        global _now
        outer, _now = _now, None
        try:
            return plain(*args, **kwargs)
        finally:
            _now = outer

    return trial


def _watched_generate(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def generate(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _now is None:
            return plain(self, *args, **kwargs)
        _now.depth += 1
        _now.prefilled = False
        try:
            with _now.grouped():
                return plain(self, *args, **kwargs)
        finally:
            _now.depth -= 1

    return generate


def _watched_loop(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def loop(self: Any, input_ids: Any, *args: Any, **kwargs: Any) -> Any:
        if _now is None or _now.group is None:
            return plain(self, input_ids, *args, **kwargs)
        call, config = _now.group, kwargs["generation_config"]
        begun = len(call.rows)
        settings = _settings(input_ids, kwargs, config, plain.__name__)
        result = plain(self, input_ids, *args, **kwargs)
        sequences = result if isinstance(result, torch.Tensor) else result.sequences
        ends = config.eos_token_id
        ends = set() if ends is None else {ends} if isinstance(ends, int) else set(ends)
        stops = bool(config.stop_strings)
        new_ids = sequences[:, input_ids.shape[1] :].tolist()
        news = [_trimmed(row, ends, self, stops=stops) for row in new_ids]
        rows = call.rows[begun:]
        if len(rows) == len(news):
            for row, new in zip(rows, news, strict=True):
                row.new = new
        else:  # beams
            call.said.setdefault("beams' texts", []).extend(news)
            call.said["beams' texts"].sort()
        for name, value in settings.items():
            if call.said.setdefault(name, value) != value:
                call.said[name] = ("not the same within one call", call.said[name], value)
        return result

    return loop


def _trimmed(row: list[int], ends: set[int], model: Any, *, stops: bool) -> list[int]:
    """Without what fills a row up behind its end; where strings stop it, the end may be such filling.

    0 is what the loader pads Llama 2 with: at the end of a row without an end it is left out of both runs.
    """
    end = next((at for at, index in enumerate(row) if index in ends), None)
    if end is not None:
        return row[:end] if stops else row[: end + 1]
    pads = {model.generation_config.pad_token_id, 0}
    while row and row[-1] in pads:
        row = row[:-1]
    return row


def _settings(ids: Any, given: dict[str, Any], config: Any, loop: str) -> dict[str, Any]:
    """What a decoding loop was told, after all merging."""
    said: dict[str, Any] = {"loop": loop, "use_cache": config.use_cache is not False}
    sampling = bool(config.do_sample)
    for outer in given.get("logits_processor") or ():
        processor = getattr(outer, "_inner", outer)  # the guard's penalties see no padding
        if isinstance(processor, guard_sampling.SeededSampling):
            sampling = True
            if processor._temperature != 1.0:
                said["temperature"] = processor._temperature
            for cut in processor._cuts:
                said |= _of_processor(cut)
        elif not type(processor).__module__.startswith("guard."):
            said |= _of_processor(processor)
    said["sampling"] = sampling
    for criterion in given.get("stopping_criteria") or ():
        if isinstance(criterion, stopping_criteria.MaxLengthCriteria):
            said["new tokens"] = criterion.max_length - ids.shape[1]
        elif isinstance(criterion, stopping_criteria.EosTokenCriteria):
            said["eos"] = sorted(criterion.eos_token_id.flatten().tolist())
        elif isinstance(criterion, stopping_criteria.StopStringCriteria):
            said["stop_strings"] = sorted(criterion.stop_strings)
        elif not type(criterion).__module__.startswith("guard."):
            said[type(criterion).__name__] = True
    if config.num_beams > 1:
        said |= {
            "num_beams": config.num_beams,
            "length_penalty": config.length_penalty,
            "early_stopping": config.early_stopping,
            "texts": config.num_return_sequences,
        }
    return said


_PARAMETERS = {
    logits_process.TemperatureLogitsWarper: ("temperature", "temperature"),
    logits_process.TopKLogitsWarper: ("top_k", "top_k"),
    logits_process.TopPLogitsWarper: ("top_p", "top_p"),
    logits_process.MinPLogitsWarper: ("min_p", "min_p"),
    logits_process.RepetitionPenaltyLogitsProcessor: ("repetition_penalty", "penalty"),
    logits_process.NoRepeatNGramLogitsProcessor: ("no_repeat_ngram_size", "ngram_size"),
    logits_process.MinNewTokensLengthLogitsProcessor: ("min_new_tokens", "min_new_tokens"),
}


def _of_processor(processor: Any) -> dict[str, Any]:
    if type(processor) in _PARAMETERS:
        name, attribute = _PARAMETERS[type(processor)]
        return {name: getattr(processor, attribute)}
    plain = {
        name: value
        for name, value in vars(processor).items()
        if isinstance(value, (int, float, str, bool))
    }
    return {type(processor).__name__: repr(sorted(plain.items()))}


def _watched_forward(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _now is None or (_now.depth and _now.prefilled):
            return plain(self, *args, **kwargs)
        record = _now
        inside = bool(record.depth)
        result = plain(self, *args, **kwargs)
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids is None:
            return result
        mask = kwargs.get("attention_mask", args[1] if len(args) > 1 else None)
        rows, side = _rows(ids, mask, result.logits)
        said = {
            "training": self.training,
            "dtype": str(self.dtype),
            "attention": self.config._attn_implementation,
            "linear": _linear(self),
            "padding": side,
        }
        if inside:
            record.prefilled = True
            assert record.group is not None
            record.group.rows += rows
            for name, value in said.items():
                if record.group.said.setdefault(name, value) != value and name == "padding":
                    record.group.said[name] = max(value, record.group.said[name])
        else:
            loss = None if result.loss is None else float(result.loss.detach())
            record.calls.append(Call("forward", rows, said, loss))
        return result

    return forward


def _linear(model: Any) -> str:
    """The kinds of linear layers, with the options of quantized ones."""
    found = {_kind(module) for module in model.modules() if "Linear" in type(module).__name__}
    return " ".join(sorted(found - {"Linear"})) or "Linear"


def _kind(module: Any) -> str:
    name = type(module).__name__
    if name == "Linear4bit":
        weight = module.weight
        return f"{name}{(weight.quant_type, weight.compress_statistics, module.compute_dtype)}"
    if name == "Linear8bitLt":
        return f"{name}({module.state.threshold})"
    return name


def _rows(ids: Any, mask: Any, logits: Any) -> tuple[list[Row], str]:
    """The rows without their padding, and the side that it is on."""
    masks = mask.tolist() if mask is not None and mask.dim() == 2 else None
    rows: list[Row] = []
    side = ""
    for number, row in enumerate(ids.tolist()):
        on = masks[number][-len(row) :] if masks is not None else [1] * len(row)
        seen = [index for index, shown in zip(row, on, strict=False) if shown]
        if 0 in on:
            side = "left" if not on[0] and on[-1] else "right" if on[0] else "both"
        last = len(row) - 1 - (on[::-1].index(1) if 1 in on else 0)
        scores = logits[number, min(last, logits.shape[1] - 1)].detach().float()
        best = scores.topk(min(_TOP, scores.shape[-1]))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        rows.append(Row(seen, list(pairs)))
    return rows, side


def _most_probable(weights: Any, count: int = 1, *_: Any, **__: Any) -> Any:
    return weights.topk(count, dim=-1).indices


def _without_noise(self: Any, ids: Any, scores: Any) -> Any:
    scores = guard_sampling._divided(scores.float(), self._temperature)
    for cut in self._cuts:
        scores = cut(ids, scores)
    return scores
