"""Runs one script with stand-ins for models and tokenizers; started by `codemods.proof.prove`, in a process of its own.

`main` takes RECORD ORIGINAL SCRIPT ARGUMENTS… from the command line, where SCRIPT lies in a copy of the folder
ORIGINAL, and writes one line of JSON to RECORD for each load, generation and scoring that the script asks for. A
tokenizer is the model's own where its files are at hand; else a stand-in gives one id a byte, after a BOS where the
model's family has one. A stand-in model answers " ok.". What was walked, whose files were there
and how it ended goes beside RECORD.

The libraries are imported by name at run time: nothing else in this package may load them.
"""

from __future__ import annotations

import random
import re
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from codemods.proof.amends import Amends
from codemods.proof.landlock import lock
from codemods.proof.no_harm import OutOfBoundsError, confine, report_writers
from codemods.proof.real_tokenizers import Tokenizers, guarded_rows
from codemods.proof.recording import Journal, about_of, amends_of
from codemods.proof.stand_in_models import Model, Recorder, Tokenizer, encoding_of
from codemods.proof.stand_in_pipelines import pipeline_of
from codemods.proof.walked import watch, watch_starts


def _install(record: Recorder, tokenizers: Tokenizers, *, wants_peft: bool) -> None:
    transformers: Any = import_module("transformers")

    def raw_tokenizer(name: Any, *_: Any, **options: Any) -> Any:
        return tokenizers.raw(str(name), options)

    def raw_model(name: Any, *_: Any, **options: Any) -> Model:
        config = options.get("quantization_config")
        bits = 8 if getattr(config, "load_in_8bit", False) or options.get("load_in_8bit") else None
        bits = 4 if getattr(config, "load_in_4bit", False) or options.get("load_in_4bit") else bits
        dtype = options.get("dtype", options.get("torch_dtype", "auto"))
        _record_load(record, str(name), bits, dtype, options)
        return Model(record, str(name), says=tokenizers.answer(str(name)))

    transformers.AutoTokenizer.from_pretrained = staticmethod(raw_tokenizer)
    transformers.AutoModelForCausalLM.from_pretrained = staticmethod(raw_model)
    transformers.pipeline = pipeline_of(transformers.pipeline, raw_model, raw_tokenizer)
    _instead(transformers.PreTrainedTokenizerBase, "Tokenizer", raw_tokenizer, tokenizers)
    _instead(transformers.PreTrainedModel, "ForCausalLM|LMHeadModel", raw_model, tokenizers)
    # The guard's own judgement of a call's settings, fetched before the stand-in takes its name.
    settle = import_module("guard.settings.settled").settle
    # Only for a script that uses it: importing peft takes seconds.
    if wants_peft and find_spec("peft") is not None:
        peft = import_module("peft")
        peft.PeftModel.from_pretrained = staticmethod(
            lambda model, path, *_, **__: _attach(record, model, path, in_place=True)
        )
    # A module with the guard's own path: its rooms, from which real tokenizers are read, are still found below it.
    stand_in = ModuleType("guard")
    stand_in.__path__ = import_module("guard").__path__
    stand_in.CleanModelLoader = _loader(record, settle, tokenizers)  # type: ignore[attr-defined]
    sys.modules["guard"] = stand_in


def _instead(base: Any, kind: str, stand_in: Callable[..., Any], tokenizers: Tokenizers) -> None:
    """Let classes whose names say a kind load a stand-in, except where a real tokenizer is being read."""
    plain = base.from_pretrained.__func__

    def from_pretrained(cls: Any, *args: Any, **options: Any) -> Any:
        if tokenizers.reading or re.search(kind, cls.__name__) is None:
            return plain(cls, *args, **options)
        return stand_in(*args, **options)

    base.from_pretrained = classmethod(from_pretrained)


def _record_load(
    record: Recorder, name: str, bits: Any, dtype: Any, options: dict[str, Any]
) -> None:
    place = {
        key: options.get(key)
        for key in ("device_map", "revision", "attn_implementation", "max_memory")
    }
    record("load", model=name, bits=bits, dtype=dtype, **place)


def _attach(record: Recorder, model: Model, path: Any, *, in_place: bool) -> Model:
    """The adapted model; peft puts the adapter into the base as well."""
    record("adapter", model=model.name, path=str(path))
    adapters = (*model.adapters, str(path))
    if in_place:
        model.adapters = adapters
    return Model(record, model.name, adapters, model.says)


def _loader(
    record: Recorder, settle: Callable[[str, dict[str, Any]], object], tokenizers: Tokenizers
) -> type:
    class CleanModelLoader:
        """The guarded side of the comparison."""

        def __init__(self, name: Any, **options: Any) -> None:
            self.name, self.options = str(name), options

        def load(self) -> Any:
            """A model, its tokenizer, and no provenance."""
            bits = (
                8
                if self.options.get("load_in_8bit")
                else 4
                if self.options.get("load_in_4bit")
                else None
            )
            _record_load(record, self.name, bits, self.options.get("dtype", "auto"), self.options)
            model = Model(record, self.name, says=tokenizers.answer(self.name))
            loaded: tuple[Any, ...] = model, self.load_tokenizer(), {}
            return _Loaded(loaded)

        def load_tokenizer(self) -> Any:
            """The tokenizer alone, padding on the left."""
            return tokenizers.guarded(self.name, self.options)

        @staticmethod
        def encode(tokenizer: Any, prompt: Any, **_: Any) -> Any:
            """Exactly the BOS of the family."""
            rows = guarded_rows(tokenizer, [prompt] if isinstance(prompt, str) else prompt)
            return encoding_of(rows, "left", "pt", single=False)

        @staticmethod
        def generate(model: Model, tokenizer: Any, prompt: str, **options: Any) -> Any:
            """One text, or several."""
            texts = CleanModelLoader.generate_batch(model, tokenizer, [prompt], **options)
            return texts[0] if len(texts) == 1 else texts

        @staticmethod
        def generate_batch(
            model: Model, tokenizer: Any, prompts: Sequence[str], **options: Any
        ) -> list[str]:
            """One text a prompt."""
            found = CleanModelLoader.complete(model, tokenizer, prompts, **options)
            return [completion.text for completion in found]

        @staticmethod
        def complete(
            model: Model, tokenizer: Any, prompts: Sequence[str], **options: Any
        ) -> list[Any]:
            """One completion a prompt, times the texts that are asked for."""
            for name in ("batch_size", "progress", "on_finished"):
                options.pop(name, None)
            settle("generate", options)
            rows = guarded_rows(tokenizer, prompts)
            model.answer(rows, options, raw=False)
            full, count = (
                options.get("return_full_text"),
                int(options.get("num_return_sequences") or 1),
            )
            skip = options.get("skip_special_tokens", True)
            return [
                SimpleNamespace(
                    text=tokenizer.decode(
                        [*(row if full else []), *model.words], skip_special_tokens=skip
                    ),
                    ids=tuple(model.words),
                    prompt_tokens=len(row),
                    finish_reason="length",
                    seed=None,
                    control_tokens=0,
                    batch=len(rows),
                    ignored=(),
                )
                for row in rows
                for _ in range(count)
            ]

        @staticmethod
        def generate_ids(
            model: Model, input_ids: Any, attention_mask: Any = None, **options: Any
        ) -> Any:
            """Ids in, ids out."""
            config = options.pop("generation_config", None)
            options["attention_mask"] = attention_mask
            return model.generate_from(input_ids, config, options, raw=False)

        @staticmethod
        def load_watched(name: Any, *args: Any, model_class: Any = None, **options: Any) -> Any:
            """What the class gives."""
            kind = model_class or import_module("transformers").AutoModelForCausalLM
            return kind.from_pretrained(name, *args, **options)

        @staticmethod
        def generate_watched(model: Any, /, *args: Any, **options: Any) -> Any:
            """What the model gives."""
            return model.generate(*args, **options)

        @staticmethod
        def pipeline_watched(*args: Any, **options: Any) -> Any:
            """What transformers gives."""
            return import_module("transformers").pipeline(*args, **options)

        @staticmethod
        def attach_adapter(model: Model, path: Any, *, in_place: bool = False, **_: Any) -> Model:
            """The model with an adapter."""
            return _attach(record, model, path, in_place=in_place)

    return CleanModelLoader


class _Loaded(tuple):  # type: ignore[type-arg]
    """The named triple that `load()` gives."""

    @property
    def model(self) -> Any:
        """The first."""
        return self[0]

    @property
    def tokenizer(self) -> Any:
        """The second."""
        return self[1]


def main() -> None:
    """Runs the script named on the command line."""
    named, original, script, *arguments = sys.argv[1:]
    sys.path[0] = str(Path(script).parent)  # as when the script is run by itself
    target = Path(named)
    about = Journal(about_of(target))
    tokenizers = Tokenizers(lambda kind, name: about.put(**{kind: name}))
    amends = Amends(
        amends_of(target), script, tokenizers.bos_of, lambda number: about.put(amended=number)
    )
    record = Recorder(target, amends)
    _install(record, tokenizers, wants_peft=b"peft" in Path(script).read_bytes())
    amends.wrap(Tokenizer)
    amends.wrap(import_module("transformers").PreTrainedTokenizerBase)
    sys.argv = [script, *arguments]
    report_writers()
    lock(confine(target.parent, Path(original)))
    watch_starts(lambda: about.put(anew=True))
    watch(script, lambda line: about.put(line=line))
    _seed()
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException as error:
        if not about.is_beside:
            about.put(end=_end_of(error))
        raise
    if not about.is_beside:
        about.put(end={})


def _seed() -> None:
    """Draw the same in each run, where the script does not say what it draws from."""
    random.seed(0)
    import_module("torch").manual_seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


def _end_of(error: BaseException) -> dict[str, str]:
    """How the script ended, as `codemods.proof.ends` reads it."""
    if isinstance(error, SystemExit):
        return {}  # the exit code says it
    lines = str(error).strip().splitlines()
    found = {"raises": error.__class__.__name__, "said": lines[0].rstrip(".") if lines else ""}
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OutOfBoundsError):
            return {**found, "refused": str(cause)}
        cause = cause.__cause__ or cause.__context__
    return found
