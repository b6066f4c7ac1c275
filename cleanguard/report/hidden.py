"""Documents of results without secrets: JSON, and texts of lines such as Markdown and TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cleanguard.report.escaping import for_json
from cleanguard.report.styled import Line
from cleanguard.secrets.redaction import known_secrets, redact_formats, redact_value


def as_document(content: Any) -> str:
    """JSON text in which secrets are hidden and odd characters are spelt out."""
    hidden = redact_value(content, by_name=False)
    return for_json(json.dumps(hidden, indent=2, ensure_ascii=False)) + "\n"


def hidden_by_line(text: str) -> str:
    """A text of lines in which secrets are hidden."""
    secrets = known_secrets()
    return "".join(redact_formats(line, secrets) for line in text.splitlines(keepends=True))


def hidden_lines(lines: Iterable[Line]) -> Iterator[Line]:
    """Styled lines in which secrets are hidden; each span for itself."""
    secrets = known_secrets()
    for line in lines:
        yield [replace(span, text=redact_formats(span.text, secrets)) for span in line]


def as_link(path: Path) -> str:
    """A path as the address of a link: no scheme, no markup, nothing odd and no secret is in it."""
    text = redact_formats(path.as_posix())
    named = all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in text)
    return quote(text.encode("utf-8", "surrogateescape" if named else "replace"))
