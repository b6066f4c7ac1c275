"""CG106: trust_remote_code=True runs code from the model repository."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.events import LoaderBuild, ModelLoad, PipelineBuild, TokenizerLoad
from lint_rules._hub import is_hub_id, is_pinned, runs_remote_code
from lint_rules._standing import described, load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    loads: tuple[ModelLoad | TokenizerLoad | PipelineBuild | LoaderBuild, ...] = (
        *flow.events(ModelLoad),
        *flow.events(TokenizerLoad),
        *flow.events(PipelineBuild),
        *flow.events(LoaderBuild),
    )
    for load in loads:
        if not runs_remote_code(load.args) or is_pinned(load.args) is not False:
            continue
        if load.model.text is not None and not is_hub_id(load.model):
            continue  # a folder of one's own
        severity = load_severity(load.model, flow.settings)
        if severity is not None:
            yield Report(
                load.node,
                f"`trust_remote_code=True` runs whatever code {described(load.model)} brings today",
                severity=severity,
            )


RULE = Rule(
    hazards.REMOTE_CODE,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", trust_remote_code=True)
""",
        """
from transformers import AutoTokenizer

options = {"trust_remote_code": True, "use_fast": True}

def load(path):
    return AutoTokenizer.from_pretrained(path, **options)
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", trust_remote_code=False)
""",
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(
    "tiiuae/falcon-7b",
    trust_remote_code=True,
    revision="ec89142b67d748a1865ea4451372db8313ada0d8",
)
""",
        """
from transformers import AutoModelForCausalLM

def load(path, trust_remote_code):
    return AutoModelForCausalLM.from_pretrained(path, trust_remote_code=trust_remote_code)
""",
    ),
)
