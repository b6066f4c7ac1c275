"""What a token's name says by itself: a turn of a chat, a part of pretraining, or a template's mark.

And which of a template's words say it, where it writes no token: "### Instruction:" and "User:" open half of
all prompts written for base models, so a template made of nothing else stays untold (docs/border.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ROLES = (
    r"user|assistant|system|developer|tools?|functions?|observation|ipython|python_tag|think|channel|message|"
    r"human|bot|chatbot|turn|role|end"
)
# Piped only: `<return>` and `<start>` are plain XML.
_HARMONY = r"return|call|constrain|start|begin|flush|eot"
_TURNS = (
    r"im_(start|end|sep|user|assistant|system|middle|tool)|(start|end)_header_id|e[om][tm](_id)?|"
    r"(start|end|begin)_?of_?(turn|role|message|utterance|dialogue)(_token)?|(user|system|chatbot)_token|"
    r"endof(user(prompt)?|system|response|message|msg|turn|assistant)|(user|system)prompt|response|[be]om|"
    rf"({_ROLES})_(start|end|begin)|(start|end|begin)_?(turn|message|role)|"
    r"tool[_▁](call|response|output|sep|declare|result|list|use)s?([_▁]\w+)?"
)
_ROLE = re.compile(
    rf"<[|｜]?/?({_TURNS}|{_ROLES}|(?:User|Assistant)|tool▁\w+)[|｜]?>"
    rf"|(?i:<[|｜](hy_)?({_TURNS}|{_ROLES}|{_HARMONY})[|｜]>|<\|({_TURNS}|{_ROLES})>|<({_TURNS}|{_ROLES})\|>)"
    rf"|(?i:\[\|({_TURNS}|{_ROLES})\|\])"
    r"|\[/?(INST|AVAILABLE_TOOLS|TOOL_(CALLS|RESULTS|CONTENT)|SYSTEM_PROMPT|MODEL_SETTINGS|THINK|ARGS|CALL_ID|EOT)\]"
    r"|<</?SYS>>"
)
# Tokens of pretraining: document ends, padding, infilling. A base prompt may hold them.
_PRETRAINED = re.compile(
    r"</?s>|<[|｜]?(endoftext|end_of_text|begin_of_text|startoftext|endofprompt|bos|eos|▁?pad▁?|unk|mask|"
    r"fim[_-]?\w+|fim▁\w+|repo_?name|reponame|file_?sep|file_?name|gh_stars|issue_\w+|jupyter_\w+|commit_\w+|"
    r"empty_output|padding|intermediate_to_(result|code)|code_to_intermediate|pr(_\w+)?|(start|end)ofpiece|"
    r"NAME|EMAIL|KEY|PASSWORD|IP_ADDRESS|(begin|end)▁of▁sentence|finetune_right_pad_id|PRE|SUF|MID|"
    r"[BE]O[SP]_TOKEN|(PAD|UNK|MASK|CLS|SEP)(_TOKEN)?|sop|eop)[|｜]?>"
    r"|\[(PAD|UNK|MASK|[gs]MASK|CLS|SEP|BOS|EOS|PREFIX|MIDDLE|SUFFIX)\]|>>[A-Z]+<<|▁?<EOT>"
)
MARK = re.compile(
    r"<\|[^|<>\s]{1,40}\|?>|<[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,60}｜>|<</?[A-Z]+>>|</?[A-Za-z_][\w-]{0,30}>"
    r"|\[/?[A-Z][A-Z_]{2,30}\]|\[\|[^|\]\s]{1,40}\|\]"
)
# Unmistakable in any text, also where they are no token of the model at hand.
FOREIGN = re.compile(
    r"<\|(im_(start|end|sep|user|assistant|system|middle)|(start|end)_header_id|e[om][tm]_id|(start|end)_of_role|"
    r"(START|END)_OF_TURN_TOKEN|(USER|CHATBOT|SYSTEM)_TOKEN|user|assistant|system|observation|endofturn|"
    r"channel|message|constrain|return)\|>"
    r"|<(start|end)_of_turn>|<\|turn>|<turn\|>|<｜(User|Assistant)｜>|\[\|(user|assistant|system|endofturn)\|\]"
)


def ends_a_turn(token: str | None) -> bool:
    """Whether a token's name says that it starts, ends or names a turn of a chat."""
    return token is not None and _ROLE.fullmatch(token) is not None


def is_pretrained(token: str) -> bool:
    """Whether a token's name is one of pretraining, which a base prompt may hold."""
    return _PRETRAINED.fullmatch(token) is not None


def without_pretrained(text: str) -> str:
    """A text with the names of pretraining's tokens taken out."""
    return _PRETRAINED.sub("\n", text)


_SHORTEST = 4  # characters; less is found in any text

# What people write in prompts for base models; each stands in tests/guard/zoo/corpus, which must pass.
ORDINARY: frozenset[str] = frozenset(
    {
        "User:", "Assistant:", "Human:", "AI:", "Bot:", "System:", "Q:", "A:", "Question:", "Answer:",
        "Instruction:", "Response:", "Input:", "Output:", "Context:", "### Instruction:", "### Response:",
        "### Input:", "### User:", "### Assistant:", "### System:", "user", "assistant", "system", "model",
        "You are a helpful assistant.",
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.",
    }
)  # fmt: skip


def telling_pieces(pieces: Iterable[str]) -> frozenset[str]:
    """The lines of a template's pieces that plain text is not known to hold."""
    lines = (line.strip() for piece in pieces for line in without_pretrained(piece).splitlines())
    return frozenset(
        line
        for line in lines
        if len(line) >= _SHORTEST and line not in ORDINARY and any(map(str.isalnum, line))
    )
