"""What stands around the scripts of repositories that benchmarks/oracle.py runs: their machine, their data."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks._oracle_forks import preload
from benchmarks._oracle_models import Models

_HERE = Path(__file__).resolve().parent
_SECRET = ("GIT", "SSH", "AWS", "TOKEN", "SECRET", "KEY", "PASSWORD")
# Packages that the scripts import and that decide nothing about prompts.
_MISSING = (
    "wandb,deepspeed,flash_attn,gradio,openai,anthropic,xformers,streamlit,vllm,mlflow,mdtex2html,tensorboard,"
    "sentence_transformers,optimum,bert_score,torchmetrics,apex,hydra,fuzzywuzzy,thefuzz,timeout_decorator,"
    "IPython,torchvision,ray,fastchat,lm_eval,unsloth,liger_kernel,trackio,comet_ml,"
    "higher,tensordict,fairscale,texttable,attrdict,pebble,natsort,ipdb,wikipedia,pydot,zhipuai,shortuuid,faiss"
)


def surround(scratch: Path, models: Models, packages: str | None) -> None:
    """What stands in for the machines that scripts of repositories were written on."""
    home = scratch / "home"
    home.mkdir()
    for name in [name for name in os.environ if any(word in name for word in _SECRET)]:
        del os.environ[name]
    given = {"HOME": home, "HF_HOME": home / "hf", "TRITON_CACHE_DIR": home, "MPLBACKEND": "agg"}
    os.environ |= {"ORACLE_MISSING": _MISSING, **{key: str(value) for key, value in given.items()}}
    sys.path.insert(0, str(_HERE / "standins"))
    if packages:
        sys.path.append(packages)
    import surroundings

    surroundings.install()
    preload(models.environment())


def made_data(line: str) -> Iterator[tuple[str, str]]:
    """Files that a command line asks for as `made/NAME.json` or `.jsonl`: a few rows with every usual key."""
    sys.path.insert(0, str(_HERE / "standins"))
    from made_rows import rows

    for name in sorted(set(re.findall(r"made/[\w./-]+\.(?:jsonl|json|txt)\b", line))):
        if name.endswith(".json"):
            yield name, json.dumps(rows())
        elif name.endswith(".txt"):
            yield name, "\n".join(row["question"] for row in rows()) + "\n"
        else:
            yield name, "".join(json.dumps(row) + "\n" for row in rows())
