"""Engines that run a model out of sight: vLLM's prompts and settings are seen at its door."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType, ModuleType
from typing import Any

from guard.observing import seeds
from guard.observing.events import Generate, Load, Origin, Rows, SeedState
from guard.observing.patching import Patches
from guard.observing.recorder import Recorder, Start
from guard.observing.values import frozen_mapping, frozen_value

_SETTINGS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "max_tokens",
    "n",
    "seed",
    "stop",
    "stop_token_ids",
    "ignore_eos",
)


def _engine(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    patches.wrap(module.LLM, "__init__", _starts(recorder))
    for name in ("generate", "chat"):
        patches.wrap(module.LLM, name, _generates(name, recorder))


def _starts(recorder: Recorder) -> Callable[..., Any]:
    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def start_engine(self: Any, *args: Any, **kwargs: Any) -> None:
            if not recorder.once("vllm"):
                plain(self, *args, **kwargs)
                return
            begun = recorder.begin()
            plain(self, *args, **kwargs)
            recorder.quietly(lambda: _started(recorder, begun, self, args, kwargs))
            recorder.blind(
                "what runs inside of vLLM's engine is out of sight; prompts and outputs are seen"
            )

        return start_engine

    return make


def _started(
    recorder: Recorder, start: Start, engine: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    recorder.emit(
        Load(
            **start.common(),
            what="model",
            asked_class="LLM",
            name=str(kwargs.get("model", args[0] if args else "")),
            asked=frozen_mapping({key: value for key, value in kwargs.items() if key != "model"}),
            loaded=frozen_mapping({"class": "LLM", "engine": "vllm"}),
            subject=recorder.subject(engine),
            guarded=start.guarded,
        )
    )


def _generates(method: str, recorder: Recorder) -> Callable[..., Any]:
    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def generate(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not recorder.once("vllm"):
                return plain(self, *args, **kwargs)
            start = recorder.begin()
            inside = recorder.here.inside
            before = set(inside)
            inside |= {"vllm", "tokenizer"}
            try:
                result = plain(self, *args, **kwargs)
            finally:
                inside.intersection_update(before)
            recorder.quietly(
                lambda: _generated(method, recorder, start, self, args, kwargs, result)
            )
            return result

        return generate

    return make


def _generated(
    method: str,
    recorder: Recorder,
    start: Start,
    engine: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Any,
) -> None:
    params = kwargs.get("sampling_params", args[1] if len(args) > 1 else None)
    from_model = params is None
    if from_model and hasattr(engine, "get_default_sampling_params"):
        params = engine.get_default_sampling_params()
    one = params[0] if isinstance(params, (list, tuple)) and params else params
    settings = {
        name: frozen_value(value)
        for name in _SETTINGS
        if (value := getattr(one, name, None)) is not None
    }
    origin: Origin = "model" if from_model else "config"
    seed = settings.get("seed")
    outputs = result if isinstance(result, (list, tuple)) else ()
    recorder.emit(
        Generate(
            **start.common(),
            model=recorder.subject(engine),
            engine="vllm",
            ids=_rows(getattr(output, "prompt_token_ids", None) for output in outputs),
            mask=None,
            texts=() if method == "chat" else tuple(str(o.prompt) for o in outputs if o.prompt),
            settings=MappingProxyType({**settings, "method": method}),
            origins=MappingProxyType(dict.fromkeys(settings, origin)),
            seed=SeedState(True, int(seed)) if seed is not None else seeds.state(),
            training=False,
            output=_rows(o.token_ids for output in outputs for o in output.outputs),
            prompt_length=0,
            said=tuple(
                str(text)
                for output in outputs
                for one in output.outputs
                if (text := getattr(one, "text", None))
            ),
            guarded=start.guarded,
        )
    )


def _rows(found: Any) -> Rows:
    return tuple(tuple(row) for row in found if row is not None)


MODULES: dict[str, Callable[[Patches, Recorder, ModuleType], None]] = {
    "vllm.entrypoints.llm": _engine,
}
