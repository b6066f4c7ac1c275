"""Says what a model is from its files alone: family, base or chat, BOS, templates, surprises."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.hazards import Hazard
from cleanguard.catalogue.standing import standing_of
from guard.base.checks import CheckList
from guard.errors import GuardError, ModelNotFoundError
from guard.files.preflight import refuse_files
from guard.files.remote_code import check_pin
from guard.files.request import LoadRequest
from guard.files.source import ModelSource, architectures_in, open_source
from guard.files.weights import WeightSizes, weight_sizes
from guard.loading.tokenizer_load import read_tokenizer
from guard.prompts.policy import PromptPolicy, policy_of
from guard.prompts.standing import chat_evidence
from guard.prompts.templates import templates_of
from guard.provenance.tensors import weight_files
from guard.settings.inherited import NO_SETTING, UNSET

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LICENCE = re.compile(r"(?i)^(licen[cs]e|copying|notice|use_policy)([._-].*)?$")
_FRONT_MATTER = re.compile(r"(?m)^license:\s*[\"']?([\w.\-]+)")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know before using the model.

    Attributes:
        code, name: The hazard that it bears on; without a code, `no-weights`.
        text: What was found.
        refused: `load()` refuses the model because of it.
    """

    code: str
    name: str
    text: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A chat template: its name, sha256 as hex, and characters."""

    name: str
    sha256: str
    length: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a model's files say; what is unknown is None.

    Attributes:
        model_id, kind, path, revision: What was looked at, and where it lies.
        architecture, context: As config.json says.
        family: As the tokens show it, otherwise as the id says.
        standing: `chat` if anything says so, `base` if the id says so, otherwise `unknown`.
        evidence: What speaks for a chat model.
        bos_prefix, bos_tokens: What every prompt begins with.
        bos_source: `tokenizer`, `inserted`, `asked` or `none`.
        bos_evidence: What was weighed for BOS.
        eos, pad: Tokens as the tokenizer names them.
        vocabulary: Number of tokens.
        control: Control ids with their text.
        markers: Text that no prompt may hold and that has no id.
        templates: Chat templates.
        generation: Settings of generation_config.json that are not the defaults.
        weights: From the headers of the weight files; None where none are here.
        licence: Licence files, and what a model card says.
        remarks: What to know.
    """

    model_id: str
    kind: str
    path: str
    revision: str | None
    architecture: str | None
    context: int | None
    family: str | None
    standing: str
    evidence: tuple[str, ...]
    bos_prefix: tuple[int, ...]
    bos_tokens: tuple[str, ...]
    bos_source: str
    bos_evidence: tuple[str, ...]
    eos: str | None
    pad: str | None
    vocabulary: int
    control: tuple[tuple[int, str], ...]
    markers: tuple[str, ...]
    templates: tuple[Template, ...]
    generation: dict[str, Any]
    weights: WeightSizes | None
    licence: tuple[str, ...]
    remarks: tuple[Remark, ...]

    @property
    def refused(self) -> bool:
        """Whether `load()` refuses the model as it stands."""
        return any(remark.refused for remark in self.remarks)

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis in JSON types."""
        plain: dict[str, Any] = json.loads(json.dumps({**asdict(self), "refused": self.refused}))
        return plain


def diagnose(request: LoadRequest) -> Diagnosis:
    """Look at a model's files; nothing is refused, no weights are fetched or read.

    Raises:
        ModelNotFoundError: There is no such model, or its tokenizer cannot be read.
        MissingWeightsError: There is nothing but GGUF files.
        RemoteCodeError: Its tokenizer is code of its own, not trusted or not pinned.
    """
    source = open_source(request, weights=False)
    names = source.names()
    if any(n.endswith(".gguf") for n in names) and not any(
        n.startswith("tokenizer") for n in names
    ):
        refuse_files(names, str(source.directory), request)
    if request.trust_remote_code:
        check_pin(request, source, CheckList())
    tokenizer = read_tokenizer(request, source, CheckList(), look_only=True)
    policy = policy_of(tokenizer)
    config = source.read_json("config.json")
    inner = config.get("text_config")
    inner = inner if isinstance(inner, dict) else config
    by_id = family_of(source.requested)
    evidence = tuple(chat_evidence(source, tokenizer))
    named = standing_of(source.requested) if source.kind == "hub" else "unknown"
    generation = _generation(source)
    return Diagnosis(
        model_id=source.requested,
        kind=source.kind,
        path=str(source.directory),
        revision=source.revision,
        architecture=next(iter(architectures_in(config)), None),
        context=inner.get("max_position_embeddings") or inner.get("n_positions"),
        family=policy.family or (by_id.name if by_id else None),
        standing="chat" if evidence else named,
        evidence=evidence,
        bos_prefix=policy.prefix,
        bos_tokens=tuple(tokenizer.convert_ids_to_tokens(list(policy.prefix))),
        bos_source=policy.bos_source,
        bos_evidence=policy.bos_evidence,
        eos=tokenizer.eos_token,
        pad=tokenizer.pad_token,
        vocabulary=len(tokenizer),
        control=policy.control.tokens,
        markers=policy.control.markers,
        templates=tuple(
            Template(name, hashlib.sha256(text.encode()).hexdigest(), len(text))
            for name, text in sorted(templates_of(tokenizer).items())
        ),
        generation=generation,
        weights=_weights(source),
        licence=_licence(source.directory),
        remarks=tuple(_remarks(request, source, tokenizer, policy, evidence, generation)),
    )


def _remarks(
    request: LoadRequest,
    source: ModelSource,
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    evidence: tuple[str, ...],
    generation: dict[str, Any],
) -> Iterator[Remark]:
    def remark(hazard: Hazard | None, text: str, refused: bool = False) -> Remark:
        code, name = (hazard.code, hazard.name) if hazard else ("", "no-weights")
        return Remark(code, name, text, refused)

    if evidence:
        yield remark(hazards.CHAT_MODEL_AS_BASE, "; ".join(evidence), refused=True)
    if source.kind == "local" or any(n.endswith(".safetensors") for n in source.names()):
        try:
            refuse_files(source.names(), source.requested, request)
        except GuardError as error:
            yield remark(error.hazard, str(error.args[0]), refused=True)
    if any(source.read_json(n).get("auto_map") for n in ("config.json", "tokenizer_config.json")):
        yield remark(
            hazards.REMOTE_CODE, "the model brings code of its own; it runs only if trusted"
        )
    if policy.bos_source == "inserted":
        yield remark(
            hazards.STRAY_NO_SPECIAL_TOKENS,
            "the tokenizer does not add the BOS that the family needs; CleanModelLoader inserts it",
        )
    if policy.bos_doubt:
        yield remark(hazards.STRAY_NO_SPECIAL_TOKENS, policy.bos_doubt)
    if generation:
        said = ", ".join(f"{name}={value}" for name, value in generation.items())
        yield remark(hazards.INHERITED_SAMPLING, f"generation_config.json sets {said}")
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id == tokenizer.eos_token_id:
        yield remark(
            hazards.EOS_MASKED, f"pad is eos ({tokenizer.eos_token}): a collator may mask both"
        )


def _generation(source: ModelSource) -> dict[str, Any]:
    found = source.read_json("generation_config.json")
    ends = found.get("eos_token_id")
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("_")
        and name not in NO_SETTING
        and (name != "eos_token_id" or (isinstance(ends, list) and len(ends) > 1))
        and value not in (None, UNSET.get(name))
    }


def _weights(source: ModelSource) -> WeightSizes | None:
    try:
        read = weight_files(source.directory)
        return weight_sizes(
            path for path in read if path.is_file() and not path.name.startswith("adapter")
        )
    except ValueError as error:
        raise ModelNotFoundError(str(error), remedy="fetch the file again") from error


def _licence(directory: Path) -> tuple[str, ...]:
    files = sorted(path.name for path in directory.iterdir() if _LICENCE.match(path.name))
    card = directory / "README.md"
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")
        front = text.split("---")[1] if text.startswith("---") and text.count("---") > 1 else ""
        found = _FRONT_MATTER.search(front)
        files += [f"{found[1]} (README.md)"] if found else []
    return tuple(files)
