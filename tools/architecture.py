"""Draws docs/architecture.svg from the imports: rooms as boxes, an arrow from each room to what it stands on.

    python tools/architecture.py           writes the picture
    python tools/architecture.py --check   exits with 1 where the picture is not what the imports say

An arrow that follows from others is left out, so that the picture can be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
# From left to right.
PACKAGES = ("stages", "guard", "cleanguard", "codemods", "lint_rules")
_WIDE, _HIGH, _ACROSS, _DOWN, _MARGIN, _HEAD = 112, 26, 20, 56, 20, 40
_TOP = "front"


@dataclass(frozen=True, slots=True)
class Box:
    """A room in the picture: its name, and the left upper corner of its box in pixels."""

    name: str
    x: int
    y: int


def room_of(module: str) -> str:
    """The room of a module: `package.room`; what lies beside the rooms is the package's front.

    Leaves that a whole package stands on (`errors` and the like) count to the ground.
    """
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    if (ROOT / package / room).is_dir() and room:
        return f"{package}.{room}"
    if room == "__main__":  # another name of the command line
        return f"{package}.cli"
    if room in ("errors", "version", "nesting"):
        return f"{package}.errors"
    if package == "lint_rules" and room in ("rule", "edits"):
        return f"{package}.rule"
    if package == "stages" and rest:
        return f"{package}.shared"
    if package == "cleanguard" and room in ("files", "cache"):
        return f"{package}.{room}"
    return f"{package}.{_TOP}"


def rooms() -> dict[str, set[str]]:
    """Each room with the rooms that it imports, type checkers' imports apart."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        here = found.setdefault(room_of(module), set())
        for other in graph.find_modules_directly_imported_by(module):
            if room_of(other) != room_of(module):
                here.add(room_of(other))
    return {name: below for name, below in found.items() if below or _is_used(name, found)}


def _is_used(name: str, found: Mapping[str, set[str]]) -> bool:
    return any(name in below for below in found.values())


def levels(found: Mapping[str, set[str]]) -> dict[str, int]:
    """How far each room stands above the ground: one more than the highest that it imports."""
    known: dict[str, int] = {}

    def level(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise SystemExit(f"a circle of rooms: {' -> '.join((*above, name))}")
        if name not in known:
            known[name] = max((level(one, (*above, name)) + 1 for one in found[name]), default=0)
        return known[name]

    for name in sorted(found):
        level(name, ())
    return known


def needed(found: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that follow from no others."""

    def reach(name: str) -> set[str]:
        return {name}.union(*(reach(one) for one in found[name]))

    reached = {name: reach(name) for name in found}
    return sorted(
        (name, below)
        for name, all_below in found.items()
        for below in all_below
        if not any(below in reached[one] for one in all_below - {below})
    )


def placed(found: Mapping[str, set[str]]) -> tuple[list[Box], int, int]:
    """The boxes, and the picture's width and height; a column of rooms for each package."""
    height = levels(found)
    top = max(height.values())
    boxes, left = [], _MARGIN
    for package in PACKAGES:
        rows: dict[int, list[str]] = {}
        for name in sorted(found):
            if name.partition(".")[0] == package:
                rows.setdefault(height[name], []).append(name)
        wide = max(map(len, rows.values()))
        for level, names in rows.items():
            indent = (wide - len(names)) * (_WIDE + _ACROSS) // 2
            for number, name in enumerate(names):
                x = left + indent + number * (_WIDE + _ACROSS)
                boxes.append(Box(name, x, _HEAD + (top - level) * _DOWN))
        left += wide * (_WIDE + _ACROSS) + _ACROSS
    return boxes, left, _HEAD + (top + 1) * _DOWN


def picture() -> str:
    """The picture as SVG; it follows the reader's light or dark setting."""
    found = rooms()
    boxes, width, height = placed(found)
    at = {box.name: box for box in boxes}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Rooms of cleanguard and what each stands on">',
        "<style>text{font:12px system-ui,sans-serif;fill:#1f2328;text-anchor:middle}"
        "rect{fill:#f6f8fa;stroke:#59636e}path{fill:none;stroke:#59636e;stroke-opacity:.55}"
        ".stages{stroke:#8250df}.guard{stroke:#1a7f37}.cleanguard{stroke:#59636e}"
        ".codemods{stroke:#bc4c00}.lint_rules{stroke:#0969da}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#161b22}}</style>",
    ]
    for above, below in needed(found):
        start, end = at[above], at[below]
        x1, y1 = start.x + _WIDE // 2, start.y + _HIGH
        x2, y2 = end.x + _WIDE // 2, end.y
        middle = (y1 + y2) // 2
        kind = above.partition(".")[0]
        lines.append(f'<path class="{kind}" d="M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"/>')
    for box in boxes:
        package, _, room = box.name.partition(".")
        label = escape(package) if room == _TOP else escape(room.lstrip("_"))
        lines.append(
            f'<rect class="{package}" x="{box.x}" y="{box.y}" width="{_WIDE}" height="{_HIGH}" rx="5"/>'
            f'<text x="{box.x + _WIDE // 2}" y="{box.y + 17}">{label}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> None:
    """Write the picture, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    wanted = parser.parse_args()
    made = picture()
    if not wanted.check:
        PICTURE.write_text(made, encoding="utf-8")
    elif not PICTURE.is_file() or PICTURE.read_text(encoding="utf-8") != made:
        sys.exit(
            f"{PICTURE.relative_to(ROOT)} is not what the imports say; run this without --check"
        )


if __name__ == "__main__":
    main()
