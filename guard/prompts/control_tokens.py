"""The chat control tokens of a tokenizer, and where they occur in a prompt's text or ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guard.base.vocabulary import Vocabulary
from guard.prompts.families import TokenFamily
from guard.prompts.templates import inserted_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ROLE = re.compile(
    r"<[|｜]?/?(im_(start|end|sep)|(start|end)_header_id|e[om][tm](_id)?|(start|end)_of_(turn|role)|turn|"
    r"user|assistant|system|tool|ipython|python_tag|think|tool_(call|calls|response|output|declare)s?|"
    r"observation|channel|message|end_of_utterance|end|(User|Assistant|tool▁\w+))[|｜]?>"
    r"|\[/?(INST|AVAILABLE_TOOLS|TOOL_(CALLS|RESULTS)|SYSTEM_PROMPT)\]|<</?SYS>>"
)
# Tokens of pretraining: document ends, padding, infilling. A base prompt may hold them.
_PRETRAINED = re.compile(
    r"</?s>|<[|｜]?(endoftext|end_of_text|begin_of_text|endofprompt|bos|eos|▁?pad▁?|unk|mask|fim_?\w+|fim▁\w+|"
    r"repo_?name|file_?sep|file_?name|gh_stars|issue_\w+|jupyter_\w+|commit_\w+|empty_output|padding|"
    r"intermediate_to_result|(begin|end)▁of▁sentence|finetune_right_pad_id|PRE|SUF|MID)[|｜]?>|\[(PAD|UNK|MASK)\]"
)
_MARKER = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,60}｜>|<</?[A-Z]+>>|</?[A-Za-z_][\w-]{0,30}>|\[/?[A-Z][A-Z_]{2,30}\]"
)
# Unmistakable in any text, also where they are no token of the model at hand.
_FOREIGN = re.compile(
    r"<\|(im_start|im_end|start_header_id|end_header_id|eot_id)\|>|<(start|end)_of_turn>|<｜(User|Assistant)｜>"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A control token or template marker in a prompt.

    Attributes:
        token: Its text.
        position: Index of the token in a row of ids, or of the character in a text.
        unit: Which of the two `position` counts.
        certain: False for a lone text marker that ordinary prose could hold, such as `[INST]`.
    """

    token: str
    position: int
    unit: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class ControlSet:
    """What must not occur in a prompt for a base model.

    Attributes:
        tokens: Control ids with their text.
        markers: Text that the model's templates insert and that has no id of its own.
    """

    tokens: tuple[tuple[int, str], ...]
    markers: tuple[str, ...]
    _by_id: dict[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", dict(self.tokens))

    @property
    def ids(self) -> tuple[int, ...]:
        """The control ids, ascending."""
        return tuple(self._by_id)

    def in_ids(self, row: Sequence[int]) -> list[Hit]:
        """Control tokens in a row of ids, in order."""
        known = self._by_id
        return [Hit(known[i], at, "token") for at, i in enumerate(row) if i in known]

    def in_text(self, text: str) -> list[Hit]:
        """Markers in a text, in order.

        They are certain where they frame it: at its very beginning, or several of them with one at
        an end of a line. In the middle of a sentence somebody writes about them.
        """
        sure = [Hit(m[0], m.start(), "character") for m in _FOREIGN.finditer(text)]
        found = [(text.find(marker), marker) for marker in self.markers]
        loose = [(at, marker) for at, marker in found if at >= 0]
        if loose:
            certain = any(not text[:at].strip() for at, _ in loose) or (
                len(loose) > 1 and any(_frames(text, marker) for _, marker in loose)
            )
            sure += [Hit(marker, at, "character", certain) for at, marker in loose]
        return sorted(sure, key=lambda hit: hit.position)


def _frames(text: str, marker: str) -> bool:
    """Whether a marker stands at the beginning or the end of a line."""
    lines = (line.strip() for line in text.splitlines())
    return any(line.startswith(marker) or line.endswith(marker) for line in lines)


def control_set_of(
    tokenizer: PreTrainedTokenizerBase, family: TokenFamily | None = None
) -> ControlSet:
    """The control tokens of a tokenizer: from its added tokens, their names, and its own templates.

    BOS, EOS, PAD and UNK are not in it, unless the token's name says that it ends a chat turn.

    Args:
        tokenizer: The tokenizer.
        family: Its family; one whose chat format is ordinary text adds that format's markers.
    """
    names = (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token)
    exempt = {name for name in names if name and not _ROLE.fullmatch(name)}
    inserted = inserted_text(tokenizer)
    rendered = {m for piece in inserted for m in _MARKER.findall(piece)} - exempt
    tokens: dict[int, str] = {}
    for index, added in tokenizer.added_tokens_decoder.items():
        name = added.content
        if name in exempt or name == tokenizer.unk_token or _PRETRAINED.fullmatch(name):
            continue
        if added.special or name in rendered or _ROLE.fullmatch(name):
            tokens[int(index)] = name
    # Mistral v2 and v3 keep [INST] in the vocabulary itself, not among the added tokens.
    vocabulary = Vocabulary(tokenizer)
    for name in rendered:
        index = vocabulary.get(name)
        if index is not None and name != tokenizer.unk_token and not _PRETRAINED.fullmatch(name):
            tokens.setdefault(int(index), name)
    loose = {m for m in rendered if m not in tokens.values() and not _PRETRAINED.fullmatch(m)}
    if not tokens and not loose:
        loose = {h for piece in inserted if len(h := piece.strip()) >= 4 and h not in exempt}
    if family is not None:
        loose.update(family.markers)
    return ControlSet(tuple(sorted(tokens.items())), tuple(sorted(loose)))


def ends_a_turn(token: str | None) -> bool:
    """Whether a token's name says that it starts or ends a chat turn."""
    return token is not None and _ROLE.fullmatch(token) is not None
