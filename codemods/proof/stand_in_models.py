"""The stand-ins of `codemods.proof.stand_ins`: a tokenizer of one id a byte, a model that records and answers."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cleanguard.catalogue.begin_tokens import beginning_of
from cleanguard.catalogue.families import family_of
from codemods.proof.amends import Amends
from codemods.proof.recording import Journal
from codemods.proof.tiny_models import config_of, layers_of

_BOS, _EOS, _OFFSET = 1, 2, 3
VOCABULARY = 256 + _OFFSET
ANSWER = [byte + _OFFSET for byte in b" ok."]
_CUT = ("temperature", "top_p", "top_k", "min_p")
_SAID = ("max_new_tokens", "max_length", "min_new_tokens", "num_beams", "length_penalty", "early_stopping",
         "repetition_penalty", "no_repeat_ngram_size", "eos_token_id", "stop_strings", "num_return_sequences",
         "use_cache")  # fmt: skip
_DEFAULTS = {"num_beams": 1, "num_return_sequences": 1, "use_cache": True}


class Recorder:
    """Writes what a script asks for, in one form for the old way and the guarded one."""

    def __init__(self, target: Path, amends: Amends | None = None) -> None:
        self.target, self._amends = target, amends
        self._journal = Journal(target)

    def __call__(self, kind: str, **said: Any) -> None:
        """Add one call."""
        if kind == "generate" and self._amends is not None:
            said = self._amends.generation(said)
        kept = {name: _plain(value) for name, value in said.items() if value is not None}
        aside = {"beside": True} if self._journal.is_beside else {}
        self._journal.put(call=kind, **kept, **aside)


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
        family = family_of(model)
        self.has_bos = family is not None and family.bos == "one"
        self.name_or_path = model
        self.chat_template: str | None = None
        self.padding_side = "right"
        self.pad_token: str | None = None
        self.pad_token_id: int | None = None
        self.eos_token, self.eos_token_id = "</s>", _EOS
        self.bos_token = (beginning_of(model).bos or "<s>") if self.has_bos else None
        self.bos_token_id = _BOS if self.has_bos else None
        self.model_max_length = 10**9
        self.vocab_size = 256 + _OFFSET

    def __len__(self) -> int:
        return self.vocab_size

    def __call__(self, text: Any, *_: Any, **options: Any) -> Any:
        """Tokenise one text or a list of texts, as a tokenizer of transformers is called."""
        texts = [text] if isinstance(text, str) else list(text)
        bare = options.get("add_special_tokens") is False
        rows = [self.ids(item, bare=bare) for item in texts]
        if options.get("truncation") and options.get("max_length"):
            rows = [row[: options["max_length"]] for row in rows]
        return encoding_of(
            rows, self.padding_side, options.get("return_tensors"), isinstance(text, str)
        )

    def ids(self, text: str, *, bare: bool) -> list[int]:
        """The ids of a text: its bytes, after BOS unless it is to be bare; a BOS that it spells is one id."""
        first, *others = text.split(self.bos_token) if self.bos_token else (text,)
        ids = _bytes_of(first)
        for part in others:
            ids += [_BOS, *_bytes_of(part)]
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
        names = {_BOS: self.bos_token or "<s>", _EOS: "</s>"}
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


def _bytes_of(text: str) -> list[int]:
    return [byte + _OFFSET for byte in text.encode()]


def encoding_of(rows: list[list[int]], side: str, tensors: Any, single: bool) -> Any:
    """What a tokenizer call returns for these rows: padded to one length where there are tensors."""
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

    def __init__(
        self,
        record: Recorder,
        name: str,
        adapters: tuple[str, ...] = (),
        says: tuple[list[int], int] = (ANSWER, VOCABULARY),
    ) -> None:
        torch = import_module("torch")
        self.record, self.name, self.adapters, self.says = record, name, adapters, says
        self.words, self.rows = says
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.training = False
        self.config = config_of(name, self.rows, _EOS)
        self.name_or_path = name
        self.generation_config = import_module("transformers").GenerationConfig(eos_token_id=_EOS)

    def _self(self, *_: Any, **__: Any) -> Model:
        return self

    eval = train = to = cuda = cpu = half = float = bfloat16 = requires_grad_ = merge_and_unload = (
        _self
    )

    def generate(self, inputs: Any = None, generation_config: Any = None, **options: Any) -> Any:
        """Record a raw generation; gives the prompts with the answer behind."""
        return self.generate_from(inputs, generation_config, options, raw=True)

    def generate_from(self, inputs: Any, config: Any, options: dict[str, Any], *, raw: bool) -> Any:
        """Record a generation from ids, a raw one or the guard's; gives the prompts with the answer behind."""
        torch = import_module("torch")
        ids = options.pop("input_ids", inputs)
        mask = options.pop("attention_mask", None)
        given = {**(config.to_diff_dict() if config is not None else {}), **options}
        self.answer(rows_of(ids, mask), given, raw=raw)
        answer = torch.tensor(
            [self.words] * ids.shape[0] * int(given.get("num_return_sequences") or 1)
        )
        prompts = ids.repeat_interleave(int(given.get("num_return_sequences") or 1), dim=0)
        sequences = torch.cat([prompts, answer], dim=1)
        if options.get("return_dict_in_generate"):
            scores = tuple(torch.zeros(len(sequences), self.rows) for _ in self.words)
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
        """One forward pass, recorded."""
        torch = import_module("torch")
        ids = options.get("input_ids", inputs)
        self.record(
            "score",
            model=self.name,
            adapters=self.adapters,
            ids=rows_of(ids, options.get("attention_mask")),
        )
        return SimpleNamespace(logits=torch.zeros(*ids.shape, self.rows), loss=torch.tensor(0.0))

    def __getattr__(self, name: str) -> Any:
        """What nobody here answers is asked of small layers of the family: `modules()`, `named_parameters()`."""
        if name.startswith("__") or "config" not in vars(self):
            raise AttributeError(name)
        if "_layers" not in vars(self):
            self._layers = layers_of(self.config)
        return getattr(self._layers, name)

    def save_pretrained(self, *_: Any, **__: Any) -> None:
        """Nothing is saved."""


def rows_of(ids: Any, mask: Any) -> list[list[int]]:
    """The rows of a batch without their padding."""
    rows = ids.tolist()
    if mask is None:
        return rows  # type: ignore[no-any-return]
    return [
        [i for i, on in zip(row, ons, strict=True) if on]
        for row, ons in zip(rows, mask.tolist(), strict=True)
    ]
