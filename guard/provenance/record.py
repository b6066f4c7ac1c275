"""What a loaded model is, as measured: the record that every number made with it can carry.

Nothing here is taken from what was asked for unless the name says so; what is unknown is None.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from typing import Any, Literal

from cleanguard.secrets.redaction import redact_text, redact_value
from guard.base.checks import Check
from guard.provenance.environment import Environment

SCHEMA = "cleanguard-provenance/1"

DigestSource = Literal["content", "digest-cache", "hub-cache-name"]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of the model.

    Attributes:
        name: Without its directory.
        size: In bytes.
        sha256: As hex.
        source: Where the sha256 is from: the content as read now, the content as read before (the
            file has not changed since), or the name that the hub's cache gave the file.
        intact: In the hub's cache: whether the content is what the commit holds; None if that was
            not compared.
    """

    name: str
    size: int
    sha256: str
    source: DigestSource = "content"
    intact: bool | None = None


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """All tensors as stored, whatever files they are cut into.

    Attributes:
        digest: sha256 over name, dtype, shape and content of every tensor, as hex.
        tensors: How many there are.
        numbers: How many numbers they hold.
    """

    digest: str
    tensors: int
    numbers: int


@dataclass(frozen=True, slots=True)
class QuantizationRecord:
    """The quantized layers as found in the loaded model.

    Attributes:
        kind: `none`, `int8`, `nf4`, `fp4`, `mixed`, or another method and what it made of a layer,
            such as `torchao Int8Tensor`.
        layers: How many linear layers are quantized.
        double: Their scales are quantized as well; None without 4-bit layers.
        compute_dtype: What 4-bit layers compute in.
        storage: The dtype that packed 4-bit weights are stored as.
        threshold: From which magnitude int8 layers compute a column in 16 bit; 0 never.
        fp16_weight: int8 layers keep 16-bit weights.
        modules: The quantized layers, numbers as ranges: `model.layers.0-23.mlp.up_proj`.
        left: The linear layers that are not quantized, in a model where others are.
    """

    kind: str
    layers: int
    double: bool | None = None
    compute_dtype: str | None = None
    storage: str | None = None
    threshold: float | None = None
    fp16_weight: bool | None = None
    modules: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """The model.

    Attributes:
        kind: Local directory or hub repository.
        path: The directory that the files were read from.
        revision_requested: As the caller gave it.
        revision: The commit that was loaded; None for a local directory.
        architecture: Class of the loaded model.
        parameters: Number of parameters as stored (4-bit weights count packed).
        dtypes: Stored parameters per dtype.
        devices: Where they lie.
        attention: The attention implementation in use.
        context: Most positions that the model was made for; None if the config does not say.
        quantization: As found in its layers.
        files: Weights, tokenizer and configuration files.
        weights: The stored tensors; None for pickled weights.
        unused: Stored tensors that no part of the model takes.
        tied: The output head is the embedding; None where that cannot be told.
    """

    kind: Literal["local", "hub"]
    path: str
    revision_requested: str | None
    revision: str | None
    architecture: str
    parameters: int
    dtypes: dict[str, int]
    devices: tuple[str, ...]
    attention: str | None
    context: int | None
    quantization: QuantizationRecord
    files: tuple[FileRecord, ...]
    weights: WeightsRecord | None
    unused: tuple[str, ...] = ()
    tied: bool | None = None


@dataclass(frozen=True, slots=True)
class PadRecord:
    """The padding token: whether it differs from EOS, and what that means."""

    id: int | None
    token: str | None
    distinct_from_eos: bool
    note: str


@dataclass(frozen=True, slots=True)
class TokenizerRecord:
    """The tokenizer.

    Attributes:
        kind: Its class.
        digest: sha256 of what decides a text's ids, without padding and truncation state.
        size: Number of tokens.
        family: As its tokens show it.
        bos_prefix: The ids that every prompt begins with.
        bos_source: `tokenizer`, `inserted`, `asked` or `none`.
        special_tokens: BOS, EOS, PAD and UNK as the tokenizer names them.
        pad: The padding token in use.
        padding_side: `left` or `right`.
        templates: sha256 of each chat template.
        control_ids: Ids that no prompt may hold.
        control_markers: Text that no prompt may hold and that has no id.
        bos_asked: What the caller said of BOS: `auto`, `add` or `none`.
        bos_evidence: What was weighed for BOS, in words.
        special_tokens_spelt: `refuse` or `text`: what the spelling of a special token in a prompt is.
        read_from: The file or files that the tokenizer was made of, and by what.
    """

    kind: str
    digest: str
    size: int
    family: str | None
    bos_prefix: tuple[int, ...]
    bos_source: str
    special_tokens: dict[str, Any]
    pad: PadRecord
    padding_side: str
    templates: dict[str, str]
    control_ids: tuple[int, ...]
    control_markers: tuple[str, ...]
    bos_asked: str = "auto"
    bos_evidence: tuple[str, ...] = ()
    special_tokens_spelt: str = "refuse"
    read_from: str = ""


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """The model's generation settings: the explicit ones in effect, and those that were dropped."""

    effective: dict[str, Any]
    dropped: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AdapterRecord:
    """An adapter that was attached.

    Attributes:
        name: Its name.
        path: The directory it came from.
        base_named: The base that its config names.
        files: Its files.
        weights: Its stored tensors.
        on: The adapter that it was trained on top of; None for one on the base.
        replaces: Tensors of the base that its files hold whole, and that it put others in place of.
        live: sha256 over its tensors and scales as they lie in the model, as hex.
        changed: They are no longer those that its files gave: it was trained, mixed or loaded over.
    """

    name: str
    path: str
    base_named: str | None
    files: tuple[FileRecord, ...]
    weights: WeightsRecord | None = None
    on: str | None = None
    replaces: tuple[str, ...] = ()
    live: str | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a loaded model: a lifted guard, a drawn seed, a warning.

    Attributes:
        kind: Such as `unguarded` or `seed-drawn`; docs/border.md lists those of prompts,
            docs/checkpoints.md those of adapters.
        at: UTC time, ISO 8601.
        detail: JSON types only.
        code: The hazard that it bears on.
    """

    kind: str
    at: str
    detail: dict[str, Any]
    code: str | None = None


# Values that change nothing; a summary leaves them out.
_NEUTRAL: Mapping[str, Any] = {
    "early_stopping": False,
    "num_beams": 1,
    "use_cache": True,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "repetition_penalty": 1.0,
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
}


@dataclass(frozen=True, slots=True, eq=False)
class Provenance(Mapping[str, Any]):
    """The whole statement: read by attribute, as a mapping, or as JSON through `to_dict()`.

    Attributes:
        schema: Version of this shape.
        loader_version: sha256 of the guard's source as it ran; its first 8 digits name it well
            enough.
        cleanguard_version: The installed release; None if it runs from a source tree.
        created: UTC time of the load, ISO 8601.
        model_id: As the caller gave it.
        quantization: As found in the model: `none`, `int8`, `nf4`, …
        dtype: The dtype of most parameters.
        revision: The commit that was loaded; None for a local directory.
        model, tokenizer, generation, environment: Records of their own.
        for_training: Loaded for training.
        overrides: Protections that the caller switched off.
        checks: What was checked at load, with verdicts.
        adapters: Adapters that were attached, in order.
        events: What happened since.
        active_adapters: Those that took part when this was read; empty for the base, and where they
            were merged into the weights, which is an event.
    """

    schema: str
    loader_version: str
    cleanguard_version: str | None
    created: str
    model_id: str
    quantization: str
    dtype: str
    revision: str | None
    model: ModelRecord
    tokenizer: TokenizerRecord
    generation: GenerationRecord
    environment: Environment
    for_training: bool
    overrides: tuple[str, ...]
    checks: tuple[Check, ...]
    adapters: tuple[AdapterRecord, ...] = ()
    events: tuple[Event, ...] = ()
    active_adapters: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> Any:
        if key in self.__dataclass_fields__:
            return getattr(self, key)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self))

    def __len__(self) -> int:
        return len(fields(self))

    def __str__(self) -> str:
        """What a person asks first, in at most eight lines; `to_dict()` has all of it."""
        model, tokenizer = self.model, self.tokenizer
        weights = "pickled" if model.weights is None else model.weights.digest[:12]
        bos = ", ".join(map(str, tokenizer.bos_prefix)) or "none"
        effective = self.generation.effective
        told = [f"{key}={value}" for key, value in effective.items() if _NEUTRAL.get(key) != value]
        settings = ", ".join([*told, *(["all else neutral"] if len(told) < len(effective) else [])])
        place = self.revision or (model.path if str(model.path) != self.model_id else None)
        stored = f"{self.dtype}, {self.quantization}" if self.quantization != "none" else self.dtype
        others = [f"{one.name} {one.verdict}" for one in self.checks if one.verdict != "pass"]
        held = f"{len(self.checks) - len(others)} of {len(self.checks)} checks passed"
        kinds = Counter(one.kind for one in self.events)
        events = [kind if count == 1 else f"{kind} ({count})" for kind, count in kinds.items()]
        lines = [
            f"model      {self.model_id}{f', {place}' if place else ''}",
            f"weights    sha256 {weights}, {model.parameters:,} parameters, {stored}",
            f"tokenizer  sha256 {tokenizer.digest[:12]}, {tokenizer.family or 'family unknown'}, BOS {bos}",
            f"generation {settings or 'nothing inherited'}",
            f"guard      {self.cleanguard_version or 'source tree'} {self.loader_version[:8]}, "
            f"{', '.join([held, *others])}, loaded {self.created}",
            *([f"overrides  {', '.join(self.overrides)}"] if self.overrides else []),
            *(
                [f"adapters   {', '.join(one.name for one in self.adapters)}"]
                if self.adapters
                else []
            ),
            *([f"events     {', '.join(events)}"] if events else []),
        ]
        return "\n".join(redact_text(line) for line in lines)

    def to_dict(self) -> dict[str, Any]:
        """The statement in JSON types; secrets that strayed into a path or text are hidden."""
        plain: dict[str, Any] = redact_value(json.loads(json.dumps(asdict(self))), by_name=False)
        return plain


def utc_now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
