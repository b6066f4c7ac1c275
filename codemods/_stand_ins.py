"""Runs one script with stand-ins for models and tokenizers; started by `codemods.prove`, in a process of its own.

`_stand_ins.py RECORD SCRIPT ARGUMENTS…` writes one line of JSON to RECORD for each load, generation and
scoring that the script asks for. A stand-in tokenizer gives one id a byte, after a BOS where the model's
family has one; a stand-in model answers " ok.".

The libraries are imported by name at run time: nothing else in this package may load them.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_BOS, _EOS, _OFFSET = 1, 2, 3
_ANSWER = [byte + _OFFSET for byte in b" ok."]
_CUT = ("temperature", "top_p", "top_k", "min_p")
_SAID = ("max_new_tokens", "max_length", "min_new_tokens", "num_beams", "length_penalty", "early_stopping",
         "repetition_penalty", "no_repeat_ngram_size", "eos_token_id", "stop_strings", "num_return_sequences",
         "use_cache")  # fmt: skip
_DEFAULTS = {"num_beams": 1, "num_return_sequences": 1, "use_cache": True}


class Recorder:
    """Writes what a script asks for, in one form for the old way and the guarded one."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __call__(self, kind: str, **said: Any) -> None:
        """Add one call."""
        kept = {name: _plain(value) for name, value in said.items() if value is not None}
        with self.target.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"call": kind, **kept}, sort_keys=True) + "\n")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return str(value).removeprefix("torch.") if isinstance(value, str) else value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value).removeprefix("torch.")


class Tokenizer:
    """One id a byte; BOS first where the family of the model has one."""

    def __init__(self, model: str) -> None:
        from cleanguard.families import family_of

        family = family_of(model)
        self.has_bos = family is not None and family.bos == "one"
        self.name_or_path = model
        self.chat_template: str | None = None
        self.padding_side = "right"
        self.pad_token: str | None = None
        self.pad_token_id: int | None = None
        self.eos_token, self.eos_token_id = "</s>", _EOS
        self.bos_token = "<s>" if self.has_bos else None
        self.bos_token_id = _BOS if self.has_bos else None
        self.model_max_length = 10**9
        self.vocab_size = 256 + _OFFSET

    def __len__(self) -> int:
        return self.vocab_size

    def __call__(self, text: Any, *_: Any, **options: Any) -> Any:
        texts = [text] if isinstance(text, str) else list(text)
        bare = options.get("add_special_tokens") is False
        rows = [self._ids(item, bare=bare) for item in texts]
        if options.get("truncation") and options.get("max_length"):
            rows = [row[: options["max_length"]] for row in rows]
        return _encoding(
            rows, self.padding_side, options.get("return_tensors"), isinstance(text, str)
        )

    def _ids(self, text: str, *, bare: bool) -> list[int]:
        ids = [byte + _OFFSET for byte in text.encode()]
        return [_BOS, *ids] if self.has_bos and not bare else ids

    def encode(self, text: str, **options: Any) -> Any:
        """The ids alone."""
        return self(text, **options)["input_ids"]

    encode_plus = __call__
    batch_encode_plus = __call__

    def decode(self, ids: Any, *_: Any, **options: Any) -> str:
        """The bytes back; specials as text unless they are to be left out."""
        numbers = ids.tolist() if hasattr(ids, "tolist") else list(ids)
        skip = options.get("skip_special_tokens", False)
        names = {_BOS: "<s>", _EOS: "</s>"}
        raw = b"".join(
            bytes([i - _OFFSET]) if i >= _OFFSET else (b"" if skip else names.get(i, "").encode())
            for i in numbers
        )
        return raw.decode("utf-8", errors="replace")

    def batch_decode(self, rows: Any, *_: Any, **options: Any) -> list[str]:
        """`decode` for each row."""
        return [self.decode(row, **options) for row in rows]

    def convert_tokens_to_ids(self, token: Any) -> Any:
        """An id that no text has."""
        return [_EOS for _ in token] if isinstance(token, (list, tuple)) else _EOS

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """The ids as text."""
        return str(ids) if isinstance(ids, int) else [str(i) for i in ids]

    def tokenize(self, text: str, **_: Any) -> list[str]:
        """The characters."""
        return list(text)

    def get_vocab(self) -> dict[str, int]:
        """Some vocabulary."""
        return {str(i): i for i in range(self.vocab_size)}

    def save_pretrained(self, *_: Any, **__: Any) -> None:
        """Nothing is saved."""


def _encoding(rows: list[list[int]], side: str, tensors: Any, single: bool) -> Any:
    transformers, torch = import_module("transformers"), import_module("torch")
    longest = max(map(len, rows), default=0)
    ids, mask = [], []
    for row in rows:
        gap = longest - len(row) if tensors else 0
        pad, ones = [0] * gap, [1] * len(row)
        ids.append(pad + row if side == "left" else row + pad)
        mask.append([0] * gap + ones if side == "left" else ones + [0] * gap)
    if tensors == "pt":
        return transformers.BatchEncoding(
            {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
        )
    if single:
        return transformers.BatchEncoding({"input_ids": ids[0], "attention_mask": mask[0]})
    return transformers.BatchEncoding({"input_ids": ids, "attention_mask": mask})


class Model:
    """Records what it is asked and answers the same to everything."""

    def __init__(self, record: Recorder, name: str, adapters: tuple[str, ...] = ()) -> None:
        torch = import_module("torch")
        self.record, self.name, self.adapters = record, name, adapters
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.training = False
        self.config = SimpleNamespace(
            pad_token_id=None,
            eos_token_id=_EOS,
            use_cache=True,
            vocab_size=256 + _OFFSET,
            _name_or_path=name,
        )
        self.generation_config = SimpleNamespace(pad_token_id=None, eos_token_id=_EOS)

    def _self(self, *_: Any, **__: Any) -> Model:
        return self

    eval = train = to = cuda = cpu = half = float = bfloat16 = requires_grad_ = merge_and_unload = (
        _self
    )

    def generate(self, inputs: Any = None, **options: Any) -> Any:
        """Record a raw generation; gives the prompts with the answer behind."""
        torch = import_module("torch")
        ids = options.pop("input_ids", inputs)
        mask = options.pop("attention_mask", None)
        config = options.pop("generation_config", None)
        given = {**(config.to_diff_dict() if config is not None else {}), **options}
        self.answer(_rows(ids, mask), given, raw=True)
        answer = torch.tensor(
            [_ANSWER] * ids.shape[0] * int(given.get("num_return_sequences") or 1)
        )
        prompts = ids.repeat_interleave(int(given.get("num_return_sequences") or 1), dim=0)
        sequences = torch.cat([prompts, answer], dim=1)
        if options.get("return_dict_in_generate"):
            scores = tuple(torch.zeros(len(sequences), 256 + _OFFSET) for _ in _ANSWER)
            return SimpleNamespace(sequences=sequences, scores=scores)
        return sequences

    def compute_transition_scores(self, sequences: Any, scores: Any, **_: Any) -> Any:
        """Zeros, one a token."""
        return import_module("torch").zeros(len(sequences), len(scores))

    def answer(self, rows: list[list[int]], given: dict[str, Any], *, raw: bool) -> None:
        """Record a generation by its effective settings."""
        sampling = given.get("do_sample")
        if sampling is None:
            sampling = bool(given.get("temperature")) and not raw
        said = {name: given.get(name, _DEFAULTS.get(name)) for name in _SAID}
        said["use_cache"] = said["use_cache"] is not False
        if isinstance(said["stop_strings"], str):
            said["stop_strings"] = [said["stop_strings"]]
        if sampling:
            said |= {name: given.get(name) for name in _CUT}
            said["temperature"] = given.get("temperature") or 1.0
            said["top_k"] = given.get("top_k", 50 if raw else None) or None
        self.record(
            "generate",
            model=self.name,
            adapters=self.adapters,
            ids=rows,
            do_sample=bool(sampling),
            **said,
        )

    def __call__(self, inputs: Any = None, **options: Any) -> Any:
        torch = import_module("torch")
        ids = options.get("input_ids", inputs)
        self.record(
            "score",
            model=self.name,
            adapters=self.adapters,
            ids=_rows(ids, options.get("attention_mask")),
        )
        return SimpleNamespace(
            logits=torch.zeros(*ids.shape, 256 + _OFFSET), loss=torch.tensor(0.0)
        )

    def parameters(self) -> Any:
        """One parameter, for those who look at its device."""
        return iter([import_module("torch").nn.Parameter(import_module("torch").zeros(1))])

    def save_pretrained(self, *_: Any, **__: Any) -> None:
        """Nothing is saved."""


def _rows(ids: Any, mask: Any) -> list[list[int]]:
    rows = ids.tolist()
    if mask is None:
        return rows  # type: ignore[no-any-return]
    return [
        [i for i, on in zip(row, ons, strict=True) if on]
        for row, ons in zip(rows, mask.tolist(), strict=True)
    ]


def _install(record: Recorder) -> None:
    transformers = import_module("transformers")

    def raw_tokenizer(name: Any, *_: Any, **options: Any) -> Tokenizer:
        found = Tokenizer(str(name))
        found.padding_side = options.get("padding_side", found.padding_side)
        return found

    def raw_model(name: Any, *_: Any, **options: Any) -> Model:
        config = options.get("quantization_config")
        bits = 8 if getattr(config, "load_in_8bit", False) or options.get("load_in_8bit") else None
        bits = 4 if getattr(config, "load_in_4bit", False) or options.get("load_in_4bit") else bits
        dtype = options.get("dtype", options.get("torch_dtype", "auto"))
        _record_load(record, str(name), bits, dtype, options)
        return Model(record, str(name))

    for kind, stand_in in (("Tokenizer", raw_tokenizer), ("ForCausalLM", raw_model)):
        auto = (
            transformers.AutoTokenizer if kind == "Tokenizer" else transformers.AutoModelForCausalLM
        )
        auto.from_pretrained = staticmethod(stand_in)
    try:
        peft = import_module("peft")
    except ImportError:
        peft = None
    if peft is not None:
        peft.PeftModel.from_pretrained = staticmethod(
            lambda model, path, *_, **__: _attach(record, model, path)
        )
    sys.modules["guard"] = SimpleNamespace(CleanModelLoader=_loader(record))  # type: ignore[assignment]


def _record_load(
    record: Recorder, name: str, bits: Any, dtype: Any, options: dict[str, Any]
) -> None:
    place = {
        key: options.get(key)
        for key in ("device_map", "revision", "attn_implementation", "max_memory")
    }
    record("load", model=name, bits=bits, dtype=dtype, **place)


def _attach(record: Recorder, model: Model, path: Any) -> Model:
    record("adapter", model=model.name, path=str(path))
    return Model(record, model.name, (*model.adapters, str(path)))


def _loader(record: Recorder) -> type:
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
            loaded: tuple[Any, ...] = Model(record, self.name), self.load_tokenizer(), {}
            return _Loaded(loaded)

        def load_tokenizer(self) -> Tokenizer:
            """The tokenizer alone, padding on the left."""
            found = Tokenizer(self.name)
            right = self.options.get("for_training")
            found.padding_side = self.options.get("padding_side", "right" if right else "left")
            found.pad_token, found.pad_token_id = found.eos_token, 0
            return found

        @staticmethod
        def encode(tokenizer: Tokenizer, prompt: Any, **_: Any) -> Any:
            """Exactly the BOS of the family."""
            rows = [
                tokenizer._ids(text, bare=False)
                for text in ([prompt] if isinstance(prompt, str) else prompt)
            ]
            return _encoding(rows, "left", "pt", single=False)

        @staticmethod
        def generate(model: Model, tokenizer: Tokenizer, prompt: str, **options: Any) -> Any:
            """One text, or several."""
            texts = CleanModelLoader.generate_batch(model, tokenizer, [prompt], **options)
            return texts[0] if len(texts) == 1 else texts

        @staticmethod
        def generate_batch(
            model: Model,
            tokenizer: Tokenizer,
            prompts: Sequence[str],
            **options: Any,
        ) -> list[str]:
            """One text a prompt."""
            options.pop("batch_size", None)
            rows = [tokenizer._ids(text, bare=False) for text in prompts]
            model.answer(rows, options, raw=False)
            full, count = (
                options.get("return_full_text"),
                int(options.get("num_return_sequences") or 1),
            )
            skip = options.get("skip_special_tokens", True)
            texts = [
                tokenizer.decode([*(row if full else []), *_ANSWER], skip_special_tokens=skip)
                for row in rows
            ]
            return [text for text in texts for _ in range(count)]

        @staticmethod
        def attach_adapter(model: Model, path: Any, **_: Any) -> Model:
            """The model with an adapter."""
            return _attach(record, model, path)

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
    root = Path(__file__).resolve().parents[1]
    # This file's own folder must not stand in front of the user's modules.
    sys.path[0] = str(Path.cwd())
    sys.path.append(str(root))
    record, script, *arguments = sys.argv[1:]
    _install(Recorder(Path(record)))
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
