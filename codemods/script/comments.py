"""Comments inside an expression that is rewritten: they move above the statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from codemods.plan.edits import Edit
from codemods.script.script import Script
from lint_rules._light.positions import Span


def keep_comments(script: Script, edits: Sequence[Edit]) -> list[Edit]:
    """The edits, and one more above each statement in which they would lose a comment."""
    written = "\n".join(edit.text for edit in edits)
    covered = [(edit, script.comments_in(Span(edit.start, edit.end))) for edit in edits]
    count = Counter(text for _, comments in covered for text in comments)
    missing = Counter({text: number - written.count(text) for text, number in count.items()})
    lost: dict[tuple[int, str], list[str]] = {}
    for edit, comments in covered:
        for text in comments:
            if missing[text] > 0 and text not in edit.text:
                missing[text] -= 1
                lost.setdefault(script.line_above(edit.start), []).append(text)
    added = [
        Edit(start, start, "".join(f"{indent}{text}{script.newline}" for text in comments))
        for (start, indent), comments in lost.items()
        if not any(edit.start < start < edit.end for edit in edits)
    ]
    return [*edits, *added]
