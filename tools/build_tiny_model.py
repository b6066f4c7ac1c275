"""Rebuilds the embedded model; `make model` calls this."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from stages.tiny import model_path
from stages.tiny.build import SEED, STEPS, build


def main() -> None:
    """Reads the options, builds, and says what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output-dir", type=Path, default=model_path(), help="model folder")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the weights")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps")
    options = parser.parse_args()
    started = time.monotonic()
    out_dir = build(options.output_dir, seed=options.seed, steps=options.steps)
    print(f"Built {out_dir} in {time.monotonic() - started:.1f} s:")
    for path in sorted(out_dir.iterdir()):
        print(f"  {path.stat().st_size:>9,}  {path.name}")


if __name__ == "__main__":
    main()
