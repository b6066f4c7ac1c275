"""Comments inside an expression that is rewritten: they stay with their argument, or move above the statement."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from codemods.plan.edits import Edit
from codemods.script.script import Script
from lint_rules._light.positions import Span

_NAME = re.compile(r"#\s*[A-Za-z_][\w.]*(\s+as\s+\w+)?\s*,")


def keep_comments(script: Script, edits: Sequence[Edit]) -> list[Edit]:
    """The edits, and one more above each statement in which they would lose a comment."""
    written = "\n".join(edit.text for edit in edits)
    covered = [(edit, script.comments_in(Span(edit.start, edit.end))) for edit in edits]
    count = Counter(text for _, comments in covered for text in comments)
    missing = Counter({text: number - written.count(text) for text, number in count.items()})
    lost: dict[tuple[int, str], list[str]] = {}
    for edit, comments in covered:
        for text in comments:
            if missing[text] > 0 and text not in edit.text and not names(script, edit.start, text):
                missing[text] -= 1
                lost.setdefault(script.line_above(edit.start), []).append(text)
    added = [
        Edit(start, start, "".join(f"{indent}{text}{script.newline}" for text in comments))
        for (start, indent), comments in lost.items()
        if not any(edit.start < start < edit.end for edit in edits)
    ]
    return [*edits, *added]


def names(script: Script, start: int, comment: str) -> bool:
    """Whether a comment of a statement is a name that its import no longer names, which goes with the import."""
    line = script.utf8[script.utf8.rfind(b"\n", 0, start) + 1 :].lstrip()
    return line.startswith((b"from ", b"import ")) and _NAME.fullmatch(comment) is not None


def stay_at_arguments(
    script: Script, edits: Sequence[Edit], renamed: Mapping[str, str]
) -> list[Edit]:
    """The edits, with the comments of arguments that are written again beside them again.

    Args:
        script: The script as it was.
        edits: What is to be written; a comment that stands above a statement there moves down.
        renamed: Keywords that are called otherwise in what is written.
    """
    found = list(edits)
    for at, edit in enumerate(edits):
        for comment in _of_arguments(script, edit):
            name = renamed.get(comment.keyword, comment.keyword)
            line = re.compile(rf"^([ \t]+){name}=.*,(?=\r?$)", re.MULTILINE)
            places = [
                number for number, one in enumerate(found) if len(line.findall(one.text)) == 1
            ]
            place = at if at in places else places[0] if len(places) == 1 else None
            if place is None:
                continue
            above = re.compile(rf"^[ \t]*{re.escape(comment.text)}\r?\n", re.MULTILINE)
            found[at] = replace(found[at], text=above.sub("", found[at].text, count=1))
            text = above.sub("", found[place].text, count=1)
            match = line.search(text)
            if match is None:
                continue
            start, end = match.span()
            written = (
                f"{match[0]}  {comment.text}"
                if comment.trails
                else f"{match[1]}{comment.text}{script.newline}{match[0]}"
            )
            found[place] = replace(found[place], text=text[:start] + written + text[end:])
    return found


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment of an argument by keyword.

    Attributes:
        text: As it is written.
        keyword: Of the argument.
        trails: Whether it stands behind the argument, and not above it.
    """

    text: str
    keyword: str
    trails: bool


_KEYWORD = re.compile(r"\s*(\w+)\s*=[^=]")


def _of_arguments(script: Script, edit: Edit) -> list[_Comment]:
    texts = script.comments_in(Span(edit.start, edit.end))
    if not texts:
        return []
    waiting: list[str] = []
    found: list[_Comment] = []
    left = Counter(texts)
    for line in script.utf8[edit.start : edit.end].decode().splitlines():
        text = next((one for one in left if left[one] and line.rstrip().endswith(one)), None)
        if text is not None:
            left[text] -= 1
            if line.strip() == text:
                waiting.append(text)
                continue
        argument = _KEYWORD.match(line)
        # What opens a bracket has comments of its own below.
        if argument is not None and _whole(line.removesuffix(text or "")):
            found += [_Comment(above, argument[1], trails=False) for above in waiting]
            found += [_Comment(text, argument[1], trails=True)] if text is not None else []
        waiting = []
    return found


def _whole(line: str) -> bool:
    return all(
        line.count(opening) == line.count(closing) for opening, closing in ("()", "[]", "{}")
    )
