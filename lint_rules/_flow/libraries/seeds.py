"""Calls that seed the generator which torch samples with, and calls that only sound so."""

from __future__ import annotations

import re
from functools import lru_cache

# What a function out of sight does is told by its name; `load_seed_tasks` seeds nothing.
_NAMED = re.compile(
    r"(?:_*(?:set|fix|init|setup|reset|make|apply|initialize|seed)_)?(?:all_|random_|rand_|global_|torch_|manual_|rng_)*"
    r"seeds?(?:_all|_everything|_everywhere|_torch|_rng|_random)?|seed_?everything|setSeed|manual_seed(?:_all)?|"
    r"(?:set|make|enable)_(?:full_)?(?:determinis\w+|reproducib\w+)|enable_full_determinism|fix_random\w*"
)
# Generators of their own: what torch draws does not come from them.
_OTHERS = ("random", "numpy", "builtins", "os", "tensorflow", "jax", "faker", "sklearn", "datasets")


@lru_cache(maxsize=65536)
def seeds_torch(symbol: str) -> bool | None:
    """Whether a call of an imported name seeds torch's generator; False for one that unseeds it."""
    root, _, _ = symbol.partition(".")
    name = symbol.rsplit(".", 1)[-1]
    if root == "torch":
        if name == "seed":
            return False  # draws one that nobody knows
        return True if name in ("manual_seed", "manual_seed_all") else None
    if root in _OTHERS:
        return None
    if root in ("transformers", "trl") and name.endswith("Trainer"):
        return True  # by its arguments' seed, 42 by default
    return True if sounds_like_seeding(name) else None


@lru_cache(maxsize=65536)
def sounds_like_seeding(name: str) -> bool:
    """Whether a function's name says that it seeds."""
    return _NAMED.fullmatch(name) is not None
