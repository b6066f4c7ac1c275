"""The chat control tokens of a tokenizer, and where they occur in a prompt's text or ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from guard.base.vocabulary import Vocabulary
from guard.prompts.families import TokenFamily
from guard.prompts.names import FOREIGN, MARK, ends_a_turn, is_pretrained, telling_pieces
from guard.prompts.templates import GAP, renderings, templates_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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

    def in_text(self, text: str, *, foreign: bool = True) -> list[Hit]:
        """Markers in a text, in order.

        They are certain where they frame it: at its very beginning, several of them with one at an
        end of a line, or one that opens several lines. In the middle of a sentence somebody writes
        about them.

        Args:
            text: A prompt.
            foreign: Look for the unmistakable tokens of other families too.
        """
        sure = [Hit(m[0], m.start(), "character") for m in FOREIGN.finditer(text) if foreign]
        found = [(text.find(marker), marker) for marker in self.markers]
        loose = [(at, marker) for at, marker in found if at >= 0]
        if loose:
            certain = (
                any(not text[:at].strip() for at, _ in loose)
                or (len(loose) > 1 and any(_frames(text, marker) for _, marker in loose))
                or any(_opens_lines(text, marker) for _, marker in loose)
            )
            sure += [Hit(marker, at, "character", certain) for at, marker in loose]
        return sorted(sure, key=lambda hit: hit.position)

    def without(self, ids: Sequence[int]) -> ControlSet:
        """This set without some ids."""
        return replace(self, tokens=tuple(pair for pair in self.tokens if pair[0] not in ids))

    def joined(self, other: ControlSet) -> ControlSet:
        """This set with another's tokens and markers."""
        tokens = tuple(sorted({**self._by_id, **other._by_id}.items()))
        return ControlSet(tokens, tuple(sorted({*self.markers, *other.markers})))


def _frames(text: str, marker: str) -> bool:
    """Whether a marker stands at the beginning or the end of a line."""
    lines = (line.strip() for line in text.splitlines())
    return any(line.startswith(marker) or line.endswith(marker) for line in lines)


def _opens_lines(text: str, marker: str) -> bool:
    """Whether a marker stands at the beginning of several lines, as a speaker's name does."""
    return sum(line.lstrip().startswith(marker) for line in text.splitlines()) > 1


def control_set_of(
    tokenizer: PreTrainedTokenizerBase, family: TokenFamily | None = None
) -> ControlSet:
    """The control tokens of a tokenizer: from its added tokens, their names, and its own templates.

    BOS, EOS, PAD and UNK are not in it, unless the token's name says that it ends a chat turn. Where a
    rendered chat holds neither an id nor a mark, the template's own words tell it, as far as plain text
    does not use them.

    Args:
        tokenizer: The tokenizer.
        family: Its family; one whose chat format is ordinary text adds that format's markers.
    """
    names = (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token)
    exempt = {name for name in names if name and not ends_a_turn(name)}
    chats = renderings(tokenizer)
    rendered = {m for chat in chats for piece in chat.split(GAP) for m in MARK.findall(piece)}
    rendered -= exempt
    written = {m for text in templates_of(tokenizer).values() for m in MARK.findall(text)} - exempt
    tokens: dict[int, str] = {}
    for index, added in tokenizer.added_tokens_decoder.items():
        name = added.content
        if name in exempt or name == tokenizer.unk_token or is_pretrained(name):
            continue
        if added.special or name in written or name in rendered or ends_a_turn(name):
            tokens[int(index)] = name
    # Mistral v2 and v3 keep [INST] in the vocabulary itself, not among the added tokens.
    vocabulary = Vocabulary(tokenizer)
    for name in rendered:
        index = vocabulary.get(name)
        if index is not None and name != tokenizer.unk_token and not is_pretrained(name):
            tokens.setdefault(int(index), name)
    loose = {m for m in rendered if m not in tokens.values() and not is_pretrained(m)}
    if family is not None:
        loose.update(family.markers)
    found = ControlSet(tuple(sorted(tokens.items())), tuple(sorted(loose)))
    untold = [chat for chat in chats if not _is_told(tokenizer, found, chat)]
    pieces = telling_pieces(piece for chat in untold for piece in chat.split(GAP))
    return found.joined(ControlSet((), tuple(pieces - exempt))) if pieces else found


def _is_told(tokenizer: PreTrainedTokenizerBase, control: ControlSet, chat: str) -> bool:
    """Whether a rendered chat, without the BOS that may open it, is told from plain text."""
    text = chat.replace(GAP, "Hello there.").removeprefix(tokenizer.bos_token or "")
    row = tokenizer(text, add_special_tokens=False, truncation=False, padding=False, verbose=False)
    return bool(control.in_ids(row["input_ids"])) or any(
        hit.certain for hit in control.in_text(text)
    )
