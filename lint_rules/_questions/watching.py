"""What belongs to a model that is watched: it is judged by what reaches the model, when it runs."""

from __future__ import annotations

from collections.abc import Collection

from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import Generate, ModelLoad, PipelineBuild, TokenizerLoad
from lint_rules._flow.values.syntax import shape
from lint_rules._light import tree as cst
from lint_rules._questions.pipelines import loads_by_itself


def is_beside_watched(
    tokenizer: TokenizerLoad, flow: Flow, coming: Collection[cst.CSTNode] = ()
) -> bool:
    """Whether the models that a tokenizer is for are all watched: those of its name, or else all of the file.

    Args:
        tokenizer: The load of it.
        flow: The file.
        coming: Loads that are about to be watched.
    """
    models: list[ModelLoad | PipelineBuild] = [
        *flow.events(ModelLoad),
        *(built for built in flow.events(PipelineBuild) if loads_by_itself(built)),
    ]
    own = [model for model in models if _is_alike(tokenizer, model)] or models
    if own:
        return all(model.watched or model.node in coming for model in own)
    # Another file loads the model.
    fed = [
        call
        for call in flow.events(Generate)
        if call.encoded is not None and call.encoded.tokenizer.origin is tokenizer.node
    ]
    return bool(fed) and all(call.watched for call in fed)


def _is_alike(tokenizer: TokenizerLoad, model: ModelLoad | PipelineBuild) -> bool:
    if tokenizer.model.text is not None and tokenizer.model.text == model.model.text:
        return True
    name = first_argument(tokenizer.args)
    if isinstance(model, PipelineBuild):
        given = model.args.get("model", 1)
        return (
            given is not None and given.expression is not None and shape(given.expression) == name
        )
    return name is not None and first_argument(model.args) == name


def first_argument(args: Arguments) -> object:
    """The expression that a load names its model by, in a form that can be compared; None where there is none."""
    given = args.get("pretrained_model_name_or_path", 0)
    if given is None or given.expression is None:
        return None
    return shape(given.expression)
