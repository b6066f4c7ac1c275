"""Every from_pretrained: what was asked for, and what came."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

from guard.observing.calls import template_digest
from guard.observing.events import Load, Save
from guard.observing.patching import Make, Patches
from guard.observing.recorder import Recorder, Start
from guard.observing.values import frozen_mapping, frozen_value

# An AutoModel calls the concrete class, a model its config: the outermost call is the person's.
_KIND = "load"
_LONGEST = 300
_NAMES = (
    "pretrained_model_name_or_path",
    "pretrained_model_name",
    "model_id",
    "peft_model_id",
    "model_name_or_path",
)


def _loading(what: str, recorder: Recorder) -> Make:
    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(cls: Any, *args: Any, **kwargs: Any) -> Any:
            if not recorder.once(_KIND):
                return plain(cls, *args, **kwargs)
            start = recorder.begin()
            asked = recorder.quietly(lambda: _asked(plain, args, kwargs)) or {}
            inside = recorder.here.inside
            before = set(inside)
            held = (
                recorder.quietly(partial(_held, (cls, *args), kwargs)) if what == "adapter" else ()
            )
            # A tokenizer encodes while it is loaded; that is nobody's prompt.
            inside |= {_KIND, "tokenizer", "forward"}
            try:
                result = plain(cls, *args, **kwargs)
            except BaseException as error:
                inside.intersection_update(before)
                told = {"error": str(error)[:_LONGEST]}
                recorder.quietly(
                    partial(_report, what, recorder, start, cls, asked, told, None, error)
                )
                raise
            inside.intersection_update(before)
            more = {"held": held} if held else {}
            recorder.quietly(lambda: _report(what, recorder, start, cls, asked, more, result, None))
            return result

        return wrapper

    return make


def _asked(
    plain: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Mapping[str, Any]:
    """The arguments by name, read before the call: it takes some out of its own dictionary."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(plain).parameters.values()
    # An auto class takes (*model_args, **kwargs); the first of them is the name.
    names = [one.name for one in found if one.kind in kinds][1:] or [_NAMES[0]]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _report(
    what: str,
    recorder: Recorder,
    start: Start,
    cls: Any,
    asked: Mapping[str, Any],
    more: Mapping[str, Any],
    result: Any,
    error: BaseException | None,
) -> None:
    thing = result[0] if isinstance(result, tuple) and result else result
    if what == "adapter" and not isinstance(cls, type):
        thing = cls  # model.load_adapter(…) gives what it left out
    subject = recorder.subject(thing) if error is None and _has_number(thing) else None
    recorder.emit(
        Load(
            **start.common(error),
            what=what,
            asked_class=cls.__name__ if isinstance(cls, type) else type(cls).__name__,
            name=str(next((asked[name] for name in _NAMES if name in asked), "")),
            asked=frozen_mapping(
                {
                    key: value
                    for key, value in asked.items()
                    if key not in _NAMES and not _is_model(value)
                }
            ),
            loaded=frozen_mapping({**more, **(_described(thing) if error is None else {})}),
            subject=subject,
            guarded=start.guarded,
        )
    )


def _held(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The adapters that a model holds before another is put on it."""
    found: dict[str, None] = {}
    models = [
        one for one in (*args, *kwargs.values()) if _is_model(one) and not isinstance(one, type)
    ]
    for model in models:
        for module in model.modules():
            names = getattr(module, "_all_available_adapter_names", None)
            if callable(names):
                found |= dict.fromkeys(map(str, names()))
    return tuple(found)


def _has_number(thing: Any) -> bool:
    return hasattr(thing, "__weakref__") and type(thing).__hash__ is not None


def _is_model(value: Any) -> bool:
    return hasattr(value, "named_parameters")


def _described(thing: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"class": type(thing).__name__}
    if _is_model(thing):
        return found | described_model(thing)
    if hasattr(thing, "added_tokens_decoder"):
        return found | described_tokenizer(thing)
    return found


def described_model(model: Any) -> dict[str, Any]:
    """What a model is now: dtype, quantization, adapters, generation settings."""
    config = getattr(model, "config", None)
    settings = getattr(model, "generation_config", None)
    adapters = getattr(model, "peft_config", None)
    return {
        "name_or_path": getattr(config, "_name_or_path", None),
        "architecture": type(_innermost(model)).__name__,
        "model_type": getattr(config, "model_type", None),
        "dtype": str(getattr(model, "dtype", None)),
        "device": str(getattr(model, "device", None)),
        "training": bool(model.training),
        "quantization": frozen_value(getattr(config, "quantization_config", None)),
        "adapters": tuple(adapters) if isinstance(adapters, Mapping) else (),
        "generation_config": settings.to_diff_dict() if settings is not None else None,
        "remote_code": "transformers_modules" in type(_innermost(model)).__module__,
        "parameters": sum(one.numel() for one in model.parameters()),
        "attention": getattr(config, "_attn_implementation", None),
    }


def _innermost(model: Any) -> Any:
    """The transformers model behind an adapter's wrapper."""
    get = getattr(model, "get_base_model", None)
    return get() if callable(get) else model


def described_tokenizer(tokenizer: Any) -> dict[str, Any]:
    """What decides a tokenizer's ids, and its template."""
    return {
        "name_or_path": getattr(tokenizer, "name_or_path", None),
        "size": len(tokenizer),
        "bos": tokenizer.bos_token,
        "eos": tokenizer.eos_token,
        "pad": tokenizer.pad_token,
        "padding_side": tokenizer.padding_side,
        "add_bos_token": getattr(tokenizer, "add_bos_token", None),
        "template_sha256": template_digest(getattr(tokenizer, "chat_template", None)),
        "max_length": getattr(tokenizer, "model_max_length", None),
    }


def _saving(what: str, recorder: Recorder) -> Make:
    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not recorder.once("save-model"):
                return plain(self, *args, **kwargs)
            start = recorder.begin()
            inside = recorder.here.inside
            before = set(inside)
            # peft reads the base model's config again to see whether its vocabulary grew.
            inside |= {"save-model", _KIND}
            try:
                result = plain(self, *args, **kwargs)
            finally:
                inside.intersection_update(before)
            folder = str(kwargs.get("save_directory", args[0] if args else ""))
            recorder.quietly(lambda: _saved(what, recorder, start, self, folder))
            return result

        return wrapper

    return make


def _saved(what: str, recorder: Recorder, start: Start, model: Any, folder: str) -> None:
    recorder.emit(
        Save(
            **start.common(),
            what=what,
            subject=recorder.subject(model),
            folder=folder,
            saved=frozen_mapping({"class": type(model).__name__}),
        )
    )


def _class(
    class_name: str, what: str, patches: Patches, recorder: Recorder, module: ModuleType
) -> None:
    owner = getattr(module, class_name, None)
    if owner is None:
        return
    patches.wrap(owner, "from_pretrained", _loading(what, recorder))
    if what in ("model", "adapter"):
        patches.wrap(owner, "save_pretrained", _saving(what, recorder))
    if class_name == "PeftModel":
        patches.wrap(owner, "load_adapter", _loading("adapter", recorder))


def _auto_classes(what: str, patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    # Each auto class has a copy of the method, so there is no one place to wrap.
    for owner in tuple(vars(module).values()):
        if isinstance(owner, type) and owner.__module__ == module.__name__:
            patches.wrap(owner, "from_pretrained", _loading(what, recorder))


def _quantization(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    """A config that is put together is a load's first half: it takes any keyword in silence."""
    owner = module.BitsAndBytesConfig

    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        known = frozenset(inspect.signature(plain).parameters)

        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            plain(self, *args, **kwargs)
            if recorder.once(_KIND):
                recorder.quietly(
                    partial(_configured, recorder, recorder.begin(), self, kwargs, known)
                )

        return init

    patches.wrap(owner, "__init__", make)


def _configured(
    recorder: Recorder,
    start: Start,
    config: Any,
    asked: Mapping[str, Any],
    known: frozenset[str],
) -> None:
    unknown = tuple(name for name in asked if name not in known)
    recorder.emit(
        Load(
            **start.common(),
            what="quantization",
            asked_class=type(config).__name__,
            name="",
            asked=frozen_mapping(asked),
            loaded=frozen_mapping({"config": config.to_dict(), "unknown": unknown}),
            subject=None,
            guarded=start.guarded,
        )
    )


def _adapter_methods(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    patches.wrap(module.PeftAdapterMixin, "load_adapter", _loading("adapter", recorder))


MODULES: dict[str, Callable[[Patches, Recorder, ModuleType], None]] = {
    "transformers.modeling_utils": partial(_class, "PreTrainedModel", "model"),
    "transformers.tokenization_utils_base": partial(_class, "PreTrainedTokenizerBase", "tokenizer"),
    "transformers.tokenization_mistral_common": partial(
        _class, "MistralCommonBackend", "tokenizer"
    ),
    "transformers.configuration_utils": partial(_class, "PreTrainedConfig", "config"),
    "transformers.generation.configuration_utils": partial(_class, "GenerationConfig", "config"),
    "transformers.processing_utils": partial(_class, "ProcessorMixin", "processor"),
    "transformers.models.auto.modeling_auto": partial(_auto_classes, "model"),
    "transformers.models.auto.tokenization_auto": partial(_auto_classes, "tokenizer"),
    "transformers.models.auto.processing_auto": partial(_auto_classes, "processor"),
    "transformers.models.auto.configuration_auto": partial(_auto_classes, "config"),
    "transformers.integrations.peft": _adapter_methods,
    "transformers.utils.quantization_config": _quantization,
    "peft.peft_model": partial(_class, "PeftModel", "adapter"),
}
