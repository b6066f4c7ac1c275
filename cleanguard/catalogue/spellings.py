"""Keywords as other libraries spell them, and what takes their place in calls of the loader."""

from __future__ import annotations

from collections.abc import Mapping

MEANT: Mapping[str, str] = {
    "torch_dtype": "dtype",
    "use_auth_token": "token",
    "device": "device_map",
    "max_tokens": "max_new_tokens",
    "stop": "stop_strings",
    "stop_sequences": "stop_strings",
    "random_seed": "seed",
    "model_name": "model_id",
}
