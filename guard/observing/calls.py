"""Tokenizer calls: text to ids, messages to text, ids to text, and what is saved."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

from guard.observing.events import Decode, Encode, Render, Rows, Save
from guard.observing.patching import Make, Patches
from guard.observing.recorder import Recorder, Start
from guard.observing.values import frozen_mapping, frozen_value, rows_of, texts_of

Report = Callable[[Recorder, Start, Any, Mapping[str, Any], Any, BaseException | None], None]

# What a tokenizer does in the course of another of these calls is part of that call.
_KIND = "tokenizer"


def watched(
    kind: str,
    report: Callable[..., None],
    recorder: Recorder,
    *,
    leaves_out: Callable[..., bool] | None = None,
) -> Make:
    """A wrapper that reports a method's outermost call once it has returned or raised.

    Args:
        kind: Calls of the same kind inside of it are not reported.
        report: Called with the recorder, the start, the receiver, the arguments by name, the result
            and the exception.
        recorder: Where to report.
        leaves_out: Says of the arguments that a call is of no interest, before anything is read.
    """

    def read(
        start: Start,
        receiver: Any,
        plain: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        error: BaseException | None,
    ) -> None:
        report(recorder, start, receiver, _named(plain, args, kwargs), result, error)

    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not recorder.once(kind) or (leaves_out is not None and leaves_out(*args, **kwargs)):
                return plain(self, *args, **kwargs)
            inside = recorder.here.inside
            start = recorder.begin()
            inside.add(kind)
            try:
                result = plain(self, *args, **kwargs)
            except BaseException as error:
                inside.discard(kind)
                # Kept nowhere: this frame stands in its traceback, and a cycle would keep tensors.
                recorder.quietly(partial(read, start, self, plain, args, kwargs, None, error))
                raise
            inside.discard(kind)
            recorder.quietly(partial(read, start, self, plain, args, kwargs, result, None))
            return result

        return wrapper

    return make


def _named(
    plain: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Positional arguments under their names, before the keywords."""
    names = _parameters(plain)
    named = dict(zip(names, args, strict=False))
    if len(args) > len(named):
        named["*"] = args[len(named) :]
    return named | kwargs


@lru_cache(maxsize=256)
def _parameters(plain: Callable[..., Any]) -> tuple[str, ...]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(plain).parameters.values()
    return tuple(one.name for one in found if one.kind in kinds)[1:]


_TEXTS = (
    "text",
    "text_pair",
    "pair",
    "text_target",
    "text_pair_target",
    "batch_text_or_text_pairs",
)


def _encoded(
    method: str,
    recorder: Recorder,
    start: Start,
    tokenizer: Any,
    given: Mapping[str, Any],
    result: Any,
    error: BaseException | None,
) -> None:
    ids, mask = _parts(result)
    texts = next((found for name in _TEXTS if (found := texts_of(given.get(name)))), ())
    asked = {key: value for key, value in given.items() if key not in (*_TEXTS, "encoded_inputs")}
    recorder.emit(
        Encode(
            **start.common(error),
            method=method,
            tokenizer=recorder.subject(tokenizer),
            texts=texts,
            ids=ids,
            mask=mask,
            asked=frozen_mapping(asked),
            padding_side=str(given.get("padding_side") or getattr(tokenizer, "padding_side", "")),
            special=given.get("add_special_tokens", method not in ("tokenize", "pad")) is not False,
            guarded=start.guarded,
        )
    )


def _parts(result: Any) -> tuple[Rows, Rows | None]:
    """Ids and mask of what a tokenizer gave."""
    # A tensor's `in` compares elements, and a BatchEncoding is a mapping.
    if isinstance(result, Mapping) or hasattr(result, "encodings"):
        found = dict(result)
        return rows_of(found.get("input_ids")) or (), rows_of(found.get("attention_mask"))
    return rows_of(result) or (), None


def _looks_up(*args: Any, **kwargs: Any) -> bool:
    """Whether one token is looked up, which is no prompt, and is done in loops."""
    return isinstance(args[0] if args else kwargs.get("tokens"), str)


def _from_tokens(
    recorder: Recorder,
    start: Start,
    tokenizer: Any,
    given: Mapping[str, Any],
    result: Any,
    error: BaseException | None,
) -> None:
    if not isinstance(given.get("tokens"), (list, tuple)):
        return
    _encoded("convert_tokens_to_ids", recorder, start, tokenizer, {}, result, error)


def _rendered(
    recorder: Recorder,
    start: Start,
    tokenizer: Any,
    given: Mapping[str, Any],
    result: Any,
    error: BaseException | None,
) -> None:
    texts = texts_of(result)
    ids = () if texts else _parts(result)[0]
    asked = {key: value for key, value in given.items() if key != "conversation"}
    template = given.get("chat_template") or getattr(tokenizer, "chat_template", None)
    recorder.emit(
        Render(
            **start.common(error),
            tokenizer=recorder.subject(tokenizer),
            messages=frozen_value(given.get("conversation")),
            texts=texts,
            ids=ids,
            template_sha256=template_digest(template),
            asked=frozen_mapping(asked),
            guarded=start.guarded,
        )
    )


def template_digest(template: Any) -> str | None:
    """sha256 of a template's text as hex; of all of them where there are several."""
    if not template:
        return None
    text = template if isinstance(template, str) else str(sorted(template.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _decoded(
    recorder: Recorder,
    start: Start,
    tokenizer: Any,
    given: Mapping[str, Any],
    result: Any,
    error: BaseException | None,
) -> None:
    sources = ("token_ids", "sequences")
    ids = next((rows for name in sources if (rows := rows_of(given.get(name)))), ())
    asked = {key: value for key, value in given.items() if key not in sources}
    recorder.emit(
        Decode(
            **start.common(error),
            tokenizer=recorder.subject(tokenizer),
            ids=ids,
            texts=texts_of(result),
            asked=frozen_mapping(asked),
        )
    )


def _saved(
    recorder: Recorder,
    start: Start,
    tokenizer: Any,
    given: Mapping[str, Any],
    _result: Any,
    error: BaseException | None,
) -> None:
    saved = {
        "template_sha256": template_digest(getattr(tokenizer, "chat_template", None)),
        "eos": tokenizer.eos_token,
    }
    recorder.emit(
        Save(
            **start.common(error),
            what="tokenizer",
            subject=recorder.subject(tokenizer),
            folder=str(given.get("save_directory")),
            saved=frozen_mapping(saved),
        )
    )


_REPORTS: dict[str, Callable[..., None]] = {
    **{
        name: partial(_encoded, name)
        for name in (
            "__call__",
            "encode",
            "encode_plus",
            "batch_encode_plus",
            "tokenize",
            "pad",
        )
    },
    "convert_tokens_to_ids": _from_tokens,
    "apply_chat_template": _rendered,
    "decode": _decoded,
    "batch_decode": _decoded,
    "save_pretrained": _saved,
}


def _wrap(class_name: str, patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    owner = getattr(module, class_name, None)
    if owner is None:
        return
    for name, report in _REPORTS.items():
        kind = "save" if name == "save_pretrained" else _KIND
        leaves_out = _looks_up if name == "convert_tokens_to_ids" else None
        patches.wrap(owner, name, watched(kind, report, recorder, leaves_out=leaves_out))


MODULES = {
    "transformers.tokenization_utils_base": partial(_wrap, "PreTrainedTokenizerBase"),
    "transformers.tokenization_utils_tokenizers": partial(_wrap, "TokenizersBackend"),
    "transformers.tokenization_python": partial(_wrap, "PythonBackend"),
    "transformers.tokenization_mistral_common": partial(_wrap, "MistralCommonBackend"),
}
