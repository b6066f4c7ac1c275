"""CG106: trust_remote_code=True runs code from the model repository."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.standing import is_not_causal
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import (
    CallSite,
    LoaderBuild,
    ModelLoad,
    PipelineBuild,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import Unknown
from lint_rules._questions.engines import ENGINE
from lint_rules._questions.hub import is_hub_id, is_pinned, may_be_unpinned, runs_remote_code
from lint_rules._questions.standing import described, load_severity
from lint_rules.rule import Report, Rule

# They run the repository's code as well, and know it by the same keyword.
_OTHER_LOADS = (
    ".AutoConfig.from_pretrained",
    ".GenerationConfig.from_pretrained",
    ".AutoProcessor.from_pretrained",
    ".AutoModel.from_pretrained",
    ".AutoImageProcessor.from_pretrained",
    ".AutoModelForCausalLM.from_config",
)


def _check(flow: Flow) -> Iterator[Report]:
    loads: list[ModelLoad | TokenizerLoad | PipelineBuild | LoaderBuild] = [
        *flow.events(ModelLoad),
        *flow.events(TokenizerLoad),
        *flow.events(PipelineBuild),
        *flow.events(LoaderBuild),
    ]
    found = [(load.node, load.model, load.args, load.place) for load in loads]
    for site in flow.events(CallSite):
        if site.symbol == ENGINE:
            found.append(
                (site.node, flow.model_id(site.args.get("model", 0)), site.args, site.place)
            )
        elif site.method == "from_pretrained" and isinstance(site.receiver, Unknown):
            given = site.args.get("pretrained_model_name_or_path", 0)
            found.append((site.node, flow.model_id(given), site.args, site.place))
        elif site.symbol.endswith(_OTHER_LOADS) and site.symbol.startswith("transformers."):
            given = site.args.get("pretrained_model_name_or_path", 0) or site.args.get(
                "pretrained_model_name", 0
            )
            model = flow.model_id(given)
            if model.text is None or not model.fixed or not is_not_causal(model.text):
                found.append((site.node, model, site.args, site.place))
    for node, model, args, place in found:
        if not runs_remote_code(args):
            continue
        if is_pinned(args) is not False and not may_be_unpinned(args, place.function):
            continue
        if model.text is not None and model.fixed and not is_hub_id(model):
            continue  # a folder of one's own
        severity = load_severity(model, flow.settings)
        if severity is not None:
            yield Report(
                node,
                f"`trust_remote_code=True` runs whatever code {described(model)} brings today",
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
