"""CG105: a hub model is loaded without a 40-hex revision."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import ModelLoad, PipelineBuild, TokenizerLoad
from lint_rules._questions.hub import is_hub_id, is_pinned, runs_remote_code
from lint_rules._questions.standing import described, load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    loads: tuple[ModelLoad | TokenizerLoad | PipelineBuild, ...] = (
        *flow.events(ModelLoad),
        *flow.events(TokenizerLoad),
        *flow.events(PipelineBuild),
    )
    for load in loads:
        if not is_hub_id(load.model) or is_pinned(load.args) is not False:
            continue
        if load_severity(load.model, flow.settings) is None:
            continue
        remote = runs_remote_code(load.args)
        given = load.args.literal("revision")
        what = f"`{given}` is no pin" if isinstance(given, str) else "no `revision`"
        yield Report(
            load.node,
            f"{described(load.model)} is loaded by a moving name: {what}",
            severity="error" if remote else "warning",
        )


RULE = Rule(
    hazards.UNPINNED_REVISION,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("google/gemma-2-9b", revision="main")
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM

REVISION = "d149729398750b98c0af14eb82c78cfe92750796"
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", revision=REVISION)
""",
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("./checkpoints/qwen2.5-base")
""",
        """
from transformers import AutoTokenizer

def load(name, revision):
    return AutoTokenizer.from_pretrained("google/gemma-2-9b", revision=revision)
""",
    ),
)
