"""Texts that the guard cannot give: with what fills rows up, or now with the prompt and now without."""

from __future__ import annotations

from collections.abc import Sequence

from codemods.facts.loader_keywords import literal_of
from codemods.generation.guarded_call import one_or_many
from codemods.plan.sites import CannotRewrite, Site
from codemods.script.script import Script
from codemods.texts.decoded_ids import generated_in, has_prompt
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._flow.values.joins import Generated, element_of, options

_COUNT = "num_return_sequences="


def refuse_unclear_texts(script: Script, sites: Sequence[Site]) -> None:
    """Raise if a rewritten call's rows were decoded with what fills them up, or on a condition.

    Raises:
        CannotRewrite: Several rows, and special tokens are not certainly left out; or the prompt is in
            front of what is decoded only sometimes.
    """
    calls = {site.node for site in sites if site.code == "CG301" and site.edits}
    texts = [edit.text for site in sites for edit in site.edits if _COUNT in edit.text]
    if any(".generate(" in text for text in texts):
        raise CannotRewrite("several texts are generated and only the first is decoded")
    for decode in script.flow.events(Decode):
        generated = generated_in(decode)
        call = script.flow.event_at(generated.origin if generated else None, Generate)
        if call is None or call.node not in calls:
            continue
        found = (*options(decode.source), *options(element_of(decode.source)))
        if len({has_prompt(one) for one in found if isinstance(one, Generated)}) > 1:
            raise CannotRewrite("it is decoded now with and now without the prompt")
        skip = decode.args.get("skip_special_tokens")
        if skip is not None and literal_of(skip) is True:
            continue
        encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
        if texts or (encode and _several(encode)):
            raise CannotRewrite(
                "special tokens stay in the texts of several rows, and with them what fills the rows up"
            )


def _several(encode: Encode) -> bool:
    shape = one_or_many(encode)
    return shape == "many" or (shape == "unclear" and "padding" in encode.args.keywords)
