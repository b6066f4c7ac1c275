"""What every prompt of a tokenizer begins with: measured, known of its family, or said by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guard.errors import SettingsError
from guard.prompts.choice import PromptChoice
from guard.prompts.control_tokens import ControlSet
from guard.prompts.families import TokenFamily
from guard.prompts.templates import GAP, renderings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BosSource = Literal["tokenizer", "inserted", "asked", "none"]
_PROBE = "The quick brown fox"


@dataclass(frozen=True, slots=True)
class Bos:
    """The ids that every prompt begins with, and why.

    Attributes:
        prefix: The ids; empty for none. Several belong together, as GLM's `[gMASK]<sop>`.
        source: The tokenizer adds them itself; they were inserted because the family needs them and
            this file does not add them; the caller asked for them; or there are none.
        evidence: What was weighed, in words.
        doubt: What the evidence leaves open, for a warning; empty if it agrees.
    """

    prefix: tuple[int, ...]
    source: BosSource
    evidence: tuple[str, ...]
    doubt: str = ""


def decide_bos(
    tokenizer: PreTrainedTokenizerBase,
    family: TokenFamily | None,
    control: ControlSet,
    choice: PromptChoice,
) -> Bos:
    """Weigh what is known of a tokenizer's BOS.

    Raises:
        SettingsError: `bos="add"` was asked for, and nothing says which token that is.
    """
    added = added_before(tokenizer)
    wanted = () if family is None or family.bos is None else _ids_of(tokenizer, family.bos)
    opening = _opening(tokenizer, control)
    named = _ids_of(tokenizer, tokenizer.bos_token)
    evidence = tuple(_weighed(tokenizer, family, choice, added, wanted, opening))
    if choice.bos == "none":
        keeps = added or wanted
        doubt = f'bos="none" keeps out {_spelt(tokenizer, keeps)}' if keeps else ""
        return Bos((), "none", (*evidence, 'bos="none" was asked for'), doubt)
    if added:
        return Bos(added, "tokenizer", evidence)
    leaves_out = family is not None and family.as_files_say and choice.file_says_add is not True
    if wanted and not (leaves_out and choice.bos == "auto"):
        doubt = ""
        if tokenizer.bos_token is None or choice.file_says_add is False:
            doubt = (
                f"{_spelt(tokenizer, wanted)} is inserted because the vocabulary is that of {family and family.name}, "
                "though the tokenizer's files do not ask for it"
            )
        if choice.bos == "add":
            return Bos(wanted, "asked", (*evidence, 'bos="add" was asked for'))
        return Bos(wanted, "inserted", evidence, doubt)
    offered = opening if set(named) <= set(opening) and opening else named
    if choice.bos == "add":
        if not offered:
            raise SettingsError(
                'bos="add", and neither the tokenizer nor its template names a BOS',
                evidence={"weighed": list(evidence)},
                remedy='leave bos out, or name the token in tokenizer_config.json ("bos_token")',
            )
        return Bos(offered, "asked", (*evidence, 'bos="add" was asked for'))
    doubt = ""
    if family is not None and family.bos is not None and not named:
        doubt = (
            f"prompts of the family {family.name} begin with {family.bos}, and the tokenizer's files give "
            "that token no id; no prompt begins with it"
        )
    if choice.file_says_add and named:
        doubt = (
            f"tokenizer_config.json says add_bos_token: true and names {tokenizer.bos_token!r}, and the tokenizer "
            "that transformers makes of the files adds nothing; no prompt begins with it"
        )
    return Bos((), "none", evidence, doubt)


def _weighed(
    tokenizer: PreTrainedTokenizerBase,
    family: TokenFamily | None,
    choice: PromptChoice,
    added: tuple[int, ...],
    wanted: tuple[int, ...],
    opening: tuple[int, ...],
) -> list[str]:
    found = [
        f"the tokenizer puts {_spelt(tokenizer, added)} before a text"
        if added
        else "the tokenizer puts nothing before a text"
    ]
    if family is not None:
        needs = f"begin with {_spelt(tokenizer, wanted)}" if wanted else "have no BOS"
        if family.as_files_say:
            needs = "begin as its files say"
        elif family.bos is not None and not wanted:
            needs = f"begin with {family.bos}, which has no id here"
        found.append(f"prompts of the family {family.name} {needs}")
    if choice.file_says_add is not None:
        found.append(
            f"tokenizer_config.json says add_bos_token: {str(choice.file_says_add).lower()}"
        )
    if choice.file_names is not None:
        found.append(f"tokenizer_config.json names {choice.file_names!r}")
    elif tokenizer.bos_token is None:
        found.append("the files name no BOS")
    if opening:
        found.append(f"the chat template begins with {_spelt(tokenizer, opening)}")
    return found


def added_before(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """What the tokenizer itself puts before a text; what it puts behind is no matter of a prompt."""
    plain = _ids(tokenizer, _PROBE, add_special_tokens=False)
    dressed = _ids(tokenizer, _PROBE, add_special_tokens=True)
    more = len(dressed) - len(plain)
    at = next((n for n in range(more + 1) if dressed[n : n + len(plain)] == plain), 0)
    return tuple(dressed[:at])


def _opening(tokenizer: PreTrainedTokenizerBase, control: ControlSet) -> tuple[int, ...]:
    """The special ids that the template writes before anything of a chat; those of every rendering."""
    special = {int(i) for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    special -= set(control.ids)
    runs = []
    for chat in renderings(tokenizer):
        row = _ids(tokenizer, chat.partition(GAP)[0], add_special_tokens=False)
        end = next((at for at, index in enumerate(row) if index not in special), len(row))
        runs.append(tuple(row[:end]))
    return runs[0] if runs and all(run == runs[0] for run in runs) else ()


def _ids_of(tokenizer: PreTrainedTokenizerBase, token: str | None) -> tuple[int, ...]:
    index = None if token is None else tokenizer.convert_tokens_to_ids(token)
    return () if index is None or index == tokenizer.unk_token_id else (int(index),)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str, *, add_special_tokens: bool) -> list[int]:
    encoded = tokenizer(
        text, add_special_tokens=add_special_tokens, truncation=False, padding=False
    )
    return list(encoded["input_ids"])


def _spelt(tokenizer: PreTrainedTokenizerBase, ids: tuple[int, ...]) -> str:
    return f"{''.join(map(str, tokenizer.convert_ids_to_tokens(list(ids))))} {list(ids)}"
