"""Draws what `cleanguard check` prints as docs/check.svg, for the README.

python tools/pictures.py            # writes it
python tools/pictures.py --check    # fails if it is not what check prints
"""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cleanguard.report.text import full, summary  # noqa: E402
from cleanguard.settings.config import Settings  # noqa: E402
from lint_rules._engine.checking import check_source  # noqa: E402

TARGET = ROOT / "docs" / "check.svg"
WIDTH = 100


def script() -> str:
    """The old lines of the README's diff."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    diff = re.findall(r"```diff\n(.*?)```", readme, re.DOTALL)[0]
    old = [line[1:] for line in diff.splitlines() if not line.startswith("+")]
    head = ["from transformers import AutoModelForCausalLM, AutoTokenizer", "prompt = input()"]
    return "\n".join([*head, *old])


def picture() -> str:
    """The picture; nothing in it is fetched."""
    text = script()
    found = check_source("evaluate.py", text.encode(), Settings())
    shown = [one for one in found if one.code in ("CG201", "CG301")]
    lines = [
        *full(shown, lambda _: text.split("\n"), WIDTH),
        *summary(found, 1, WIDTH),
    ]
    console = Console(
        record=True, width=WIDTH, file=StringIO(), force_terminal=True, highlight=False
    )
    console.print(Text("$ cleanguard check evaluate.py", "bold"))
    console.print(Text("…", "dim"))
    for line in lines:
        console.print(Text.assemble(*((span.text, span.style) for span in line)), soft_wrap=True)
    svg = console.export_svg(title="cleanguard check", unique_id="check")
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> int:
    """0, or 1 where the picture is not what check prints."""
    made = picture()
    if "--check" not in sys.argv:
        TARGET.write_text(made, encoding="utf-8")
        return 0
    if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != made:
        print(f"{TARGET.name} is not what check prints; run this without --check", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
