"""Forward passes over prompts and batches, and generate calls with their effective settings.

The class's own `__call__` is wrapped and no hook is put on a model, so nothing of it is copied,
pickled or saved with one. A decoding step costs a look at a shape: no operator, no wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType, ModuleType
from typing import Any

from guard.base.caches import cache_in
from guard.base.finiteness import broken_rows, first_broken_layer
from guard.observing import seeds
from guard.observing.events import Broken, Generate, Origin, Prefill, Rows, SeedState
from guard.observing.patching import Patches
from guard.observing.recorder import Recorder, Start
from guard.observing.values import dtype_of, frozen_value, padding_of, rows_of

_CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


@dataclass(slots=True)
class Running:
    """A generate call that has not returned.

    Attributes:
        start: Where it began.
        seed: How the generator was seeded then.
        settings: Its effective settings, once they are merged.
        origins: Where they came from.
        prefilled: The models whose prompt was seen; what follows is decoding.
    """

    start: Start
    seed: SeedState
    settings: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    prefilled: set[int] = field(default_factory=set)


def is_causal(model: Any) -> bool:
    """Whether a model completes text, by its class or by the one that its config names."""
    config = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        return False
    if type(model).__name__.endswith(_CAUSAL):
        return True
    named = getattr(config, "architectures", None)
    names = (type(model).__name__, *(map(str, named) if isinstance(named, list) else ()))
    return any(name.endswith(_CAUSAL) for name in names)


def _calls(recorder: Recorder, module: ModuleType, owner: Any) -> Callable[..., Any]:
    here = recorder.here

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        # What stands behind it for this object now: a mixin's, or what a script put on Module.
        plain = super(owner, self).__call__
        ids: Any = kwargs.get("input_ids")
        if ids is None:
            ids = args[0] if args else kwargs.get("inputs_embeds")
        try:
            # In a graph that is captured a width is no number, and asking it would warn.
            width = ids.shape[1]
            narrow = type(width) is int and width == 1 and cache_in(kwargs) is not None
        except (AttributeError, IndexError, TypeError):
            narrow = True
        if narrow or module.compiler.is_compiling() or not recorder.once("forward"):
            return plain(*args, **kwargs)
        inside = here.inside
        cached = recorder.quietly(partial(_prefill, recorder, module, self, args, kwargs))
        inside.add("forward")
        try:
            output = plain(*args, **kwargs)
        finally:
            inside.discard("forward")
        if cached is not None and not self.training:
            recorder.quietly(partial(_look, recorder, module, self, args, kwargs, output, cached))
        return output

    return call


def _look(
    recorder: Recorder,
    torch: Any,
    model: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    output: Any,
    cached: int,
) -> None:
    """Whether the last scores of a prompt are numbers; if not, where that begins."""
    logits = getattr(output, "logits", None)
    if logits is None or logits.ndim != 3:
        return
    # Nothing that is watched: and without gradients, as a generation is already.
    if torch.is_grad_enabled():
        logits = logits.detach()
    rows = broken_rows(logits[:, -1])
    if not rows:
        return
    layer: str | None = None
    cause = "the pass goes on from a cache"
    if not cached:
        with torch.no_grad(), recorder.muted():
            named = {} if not args else {"input_ids": args[0]}
            layer, cause = first_broken_layer(model, named | _inputs(kwargs))
    common = recorder.begin().common()
    recorder.emit(
        Broken(**common, model=recorder.subject(model), rows=rows, layer=layer, cause=cause)
    )


def _inputs(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    names = ("input_ids", "inputs_embeds", "attention_mask", "position_ids")
    return {name: kwargs[name] for name in names if kwargs.get(name) is not None}


def _prefill(
    recorder: Recorder, torch: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> int | None:
    """How much the cache held before a pass that was recorded; None for one that was not."""
    running: Running | None = recorder.here.generation
    if not is_causal(model) or (running is not None and id(model) in running.prefilled):
        return None
    ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0] if args else None
    if running is not None:
        running.prefilled.add(id(model))
    if torch.jit.is_tracing() or _is_capturing(torch):
        recorder.blind("a forward pass inside of a graph that is being captured was not read")
        return None
    cache: Any = cache_in(kwargs)
    cached = int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else 0
    start = recorder.begin()
    mask, positions, labels = (
        _matrix(kwargs["attention_mask"]) if "attention_mask" in kwargs else None,
        _matrix(kwargs["position_ids"]) if "position_ids" in kwargs else None,
        _matrix(kwargs["labels"]) if "labels" in kwargs else None,
    )
    recorder.emit(
        Prefill(
            **start.common(),
            model=recorder.subject(model),
            ids=_matrix(ids) or (),
            mask=mask,
            positions=positions,
            labels=labels,
            padding=padding_of(mask),
            cached=cached,
            training=bool(model.training),
            grad=bool(torch.is_grad_enabled()),
            dtype=dtype_of(model),
            generation=running.start.number if running else None,
            batch=recorder.here.batch,
            guarded=start.guarded,
        )
    )
    return cached


def _matrix(found: Any) -> Rows | None:
    """Rows of whole numbers; None for what has other dimensions or holds fractions."""
    if found is None:
        return None
    try:  # a tensor, whose rows are what they say
        whole = not found.is_floating_point() and found.ndim == 2
    except AttributeError:
        return rows_of(found) if getattr(found, "ndim", 2) == 2 else None
    return tuple(map(tuple, found.tolist())) if whole else None


def _is_capturing(torch: Any) -> bool:
    cuda = torch.cuda
    return bool(cuda.is_initialized() and cuda.is_current_stream_capturing())


def _generates(recorder: Recorder) -> Callable[..., Any]:
    here = recorder.here

    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def generate(self: Any, *args: Any, **kwargs: Any) -> Any:
            if here.generation is not None or not recorder.once("generate"):
                return plain(self, *args, **kwargs)
            running = here.generation = Running(recorder.begin(), seeds.state())
            try:
                result = plain(self, *args, **kwargs)
            except BaseException as error:
                here.generation = None
                recorder.quietly(
                    partial(_generated, recorder, running, self, args, kwargs, None, error)
                )
                raise
            here.generation = None
            recorder.quietly(
                partial(_generated, recorder, running, self, args, kwargs, result, None)
            )
            return result

        return generate

    return make


def _generated(
    recorder: Recorder,
    running: Running,
    model: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Any,
    error: BaseException | None,
) -> None:
    ids = kwargs.get("input_ids", kwargs.get("inputs", args[0] if args else None))
    prompt = _matrix(ids) or ()
    output = getattr(result, "sequences", result)
    recorder.emit(
        Generate(
            **running.start.common(error),
            model=recorder.subject(model),
            engine="transformers",
            ids=prompt,
            mask=_matrix(kwargs.get("attention_mask")),
            texts=(),
            settings=running.settings,
            origins=running.origins,
            seed=running.seed,
            training=bool(model.training),
            output=(_matrix(output) or ()) if error is None else (),
            prompt_length=len(prompt[0]) if prompt else 0,
            guarded=running.start.guarded,
        )
    )


def _settles(recorder: Recorder) -> Callable[..., Any]:
    """Reads the settings where transformers has merged them."""

    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def prepare(self: Any, generation_config: Any = None, **kwargs: Any) -> Any:
            result = plain(self, generation_config, **kwargs)
            running: Running | None = recorder.here.generation
            if running is not None and not running.settings:
                recorder.quietly(
                    partial(_settle, running, result[0], generation_config, self, kwargs)
                )
            return result

        return prepare

    return make


_NO_SETTINGS = frozenset({"transformers_version", "compile_config", "watermarking_config"})


def _settle(
    running: Running, effective: Any, passed: Any, model: Any, given: dict[str, Any]
) -> None:
    of_call, of_model = vars(passed) if passed is not None else {}, vars(model.generation_config)
    settings: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name, value in vars(effective).items():
        if name[0] == "_" or name in _NO_SETTINGS:
            continue
        # Written without calls: this is done at every generation.
        if name in given:
            origins[name] = "call"
        elif value is None:
            continue
        elif name in of_call and of_call[name] is not None:
            origins[name] = "config"
        elif name in of_model and of_model[name] is not None:
            origins[name] = "model"
        else:
            origins[name] = "default"
        settings[name] = value if type(value) in _PLAIN else frozen_value(value)
    running.settings, running.origins = MappingProxyType(settings), MappingProxyType(origins)


_PLAIN = frozenset({bool, int, float, str, type(None)})


def _models(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    owner = module.PreTrainedModel
    call = _calls(recorder, module.torch, owner)
    patches.put(owner, "__call__", owner.__call__, lambda _: call)


def _generation(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    owner = module.GenerationMixin
    patches.wrap(owner, "generate", _generates(recorder))
    patches.wrap(owner, "_prepare_generation_config", _settles(recorder))


def _compiled(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    """What runs inside of a compiled module is traced; its prompt is seen at the outside."""

    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            ids: Any = kwargs.get("input_ids", args[0] if args else None)
            wide = getattr(ids, "ndim", 0) == 2 and (ids.shape[1] > 1 or cache_in(kwargs) is None)
            if not wide or not recorder.once("forward"):
                return plain(self, *args, **kwargs)
            inside = recorder.here.inside
            model = self._orig_mod
            recorder.quietly(partial(_prefill, recorder, module.torch, model, args, kwargs))
            inside.add("forward")
            try:
                return plain(self, *args, **kwargs)
            finally:
                inside.discard("forward")

        return call

    patches.wrap(module.OptimizedModule, "__call__", make)


MODULES: dict[str, Callable[[Patches, Recorder, ModuleType], None]] = {
    "transformers.modeling_utils": _models,
    "transformers.generation.utils": _generation,
    "torch._dynamo.eval_frame": _compiled,
}
