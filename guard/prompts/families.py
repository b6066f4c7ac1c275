"""Which family a tokenizer belongs to, told by its tokens, and whether that family needs BOS.

The tokenizer's measured behaviour comes first; this says when a file that adds no BOS should, and
what the family's chat format looks like where that leaves no trace in the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

from guard.base.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class TokenFamily:
    """A family as its tokens show it.

    Attributes:
        name: The name that `cleanguard.catalogue.families` uses.
        tokens: Tokens that its vocabulary has, all of them; with an id where only the id tells it
            from others.
        bos: The BOS token that a prompt begins with; None where the family has none.
        markers: Text of its chat format that is made of ordinary tokens.
        as_files_say: Its files differ about BOS, and each is right about itself.
    """

    name: str
    tokens: tuple[tuple[str, int | None], ...]
    bos: str | None
    markers: tuple[str, ...] = ()
    as_files_say: bool = False


_INST = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")

# Most telling tokens first: a vocabulary belongs to the first family whose tokens it has. Llama 2
# and Mistral v1 share their names with dozens of sentencepiece vocabularies, so an id tells them.
TOKEN_FAMILIES: tuple[TokenFamily, ...] = (
    TokenFamily(
        "llama3",
        (("<|begin_of_text|>", None), ("<|start_header_id|>", None)),
        "<|begin_of_text|>",
    ),
    TokenFamily("gemma", (("<bos>", 2), ("<start_of_turn>", None)), "<bos>"),
    TokenFamily("deepseek", (("<｜begin▁of▁sentence｜>", None),), "<｜begin▁of▁sentence｜>"),
    # Meta's own file has the vocabulary alone; its special tokens stand in code.
    TokenFamily("llama3", (("aÅŁ", 100300), ("éĶ¦", 127999)), "<|begin_of_text|>"),
    TokenFamily(
        "qwen2", (("<|endoftext|>", None), ("<|im_start|>", None), ("<|im_end|>", None)), None
    ),
    TokenFamily("mistral", (("<s>", 1), ("[INST]", 3), ("[/INST]", 4)), "<s>"),
    # Llama 2's pieces with a chat format and a BOS policy of its own.
    TokenFamily(
        "phi3", (("<s>", 1), ("<|assistant|>", None), ("<|end|>", None)), "<s>", as_files_say=True
    ),
    TokenFamily("mistral", (("<s>", 1), ("</s>", 2), ("▁the", 272)), "<s>", _INST),
    TokenFamily("llama2", (("<s>", 1), ("</s>", 2), ("▁the", 278)), "<s>", _INST),
    TokenFamily("gpt2", (("<|endoftext|>", 50256),), None),
)


def family_by_tokens(vocabulary: Vocabulary) -> TokenFamily | None:
    """The family whose tokens a vocabulary holds, None if they tell nothing."""
    for family in TOKEN_FAMILIES:
        ids = ((vocabulary.get(token), at) for token, at in family.tokens)
        if all(found is not None and at in (None, found) for found, at in ids):
            return family
    return None
