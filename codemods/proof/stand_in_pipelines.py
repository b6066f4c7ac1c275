"""The stand-in of `codemods.proof.stand_ins` for a text-generation pipeline: it asks its model as a script does."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from codemods.proof.stand_in_models import Model, encoding_of

# What is said to a pipeline, or its call, and is no setting of a generation.
_OWN = ("return_full_text", "return_text", "return_tensors", "clean_up_tokenization_spaces", "prefix", "batch_size",
        "truncation", "handle_long_generation", "stop_sequence", "framework", "device",
        "device_map", "torch_dtype", "dtype", "model_kwargs", "trust_remote_code", "revision", "token", "use_fast",
        "tokenizer", "model", "task", "config")  # fmt: skip


def pipeline_of(
    plain: Callable[..., Any],
    load: Callable[..., Model],
    tokenizer_of: Callable[..., Any],
) -> Callable[..., Any]:
    """What takes the place of `transformers.pipeline`: other tasks than text generation are transformers' own.

    Args:
        plain: `transformers.pipeline`.
        load: Loads a stand-in model by its name.
        tokenizer_of: Loads a tokenizer by a model's name.
    """

    def pipeline(task: Any = None, model: Any = None, *args: Any, **options: Any) -> Any:
        if task != "text-generation":
            return plain(task, model, *args, **options)
        loads = {**(options.get("model_kwargs") or {}), **options}
        held = (
            model if isinstance(model, Model) else load(model or "openai-community/gpt2", **loads)
        )
        tokenizer = options.get("tokenizer") or tokenizer_of(held.name)
        return _Pipeline(task, held, tokenizer, options)

    return pipeline


class _Pipeline:
    def __init__(self, task: str, model: Model, tokenizer: Any, options: dict[str, Any]) -> None:
        self.task, self.model, self.device = task, model, model.device
        self.tokenizer = _named(tokenizer)
        self._options = options

    def __call__(self, text_inputs: Any, **options: Any) -> Any:
        """One list of texts a prompt; a list of those for several prompts."""
        said = {**self._options, **options}
        single = isinstance(text_inputs, str)
        found = [self._ask(text, said) for text in ([text_inputs] if single else text_inputs)]
        return found[0] if single else found

    def _ask(self, text: str, said: dict[str, Any]) -> list[dict[str, str]]:
        given = {name: value for name, value in said.items() if name not in _OWN}
        ids = self.tokenizer(text)["input_ids"]
        batch = encoding_of([list(ids)], "left", "pt", single=False)
        rows = self.model.generate(**batch, **{"do_sample": True, **given})
        full = said.get("return_full_text") is not False
        answers = [self.tokenizer.decode(row[len(ids) :], skip_special_tokens=True) for row in rows]
        return [{"generated_text": f"{text if full else ''}{answer}"} for answer in answers]


def _named(tokenizer: Any) -> Any:
    """A tokenizer, by its name or as it is."""
    if not isinstance(tokenizer, str):
        return tokenizer
    return import_module("transformers").AutoTokenizer.from_pretrained(tokenizer)
