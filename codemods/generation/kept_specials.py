"""Special tokens that stay in texts of several rows: with them, the tokens that fill rows up stay as well."""

from __future__ import annotations

from collections.abc import Sequence

from codemods.generation.decoded_ids import generated_in
from codemods.generation.guarded_call import one_or_many
from codemods.plan.sites import CannotRewrite, Site
from codemods.script.loader_keywords import literal_of
from codemods.script.script import Script
from lint_rules._flow.values.events import Decode, Encode, Generate


def refuse_kept_fill(script: Script, sites: Sequence[Site]) -> None:
    """Raise if a rewritten call's rows were decoded with what fills them up: the guard's texts have none.

    Raises:
        CannotRewrite: Several rows, and special tokens are not certainly left out.
    """
    calls = {site.node for site in sites if site.code == "CG301" and site.edits}
    for decode in script.flow.events(Decode):
        generated = generated_in(decode)
        call = script.flow.event_at(generated.origin if generated else None, Generate)
        if call is None or call.node not in calls:
            continue
        skip = decode.args.get("skip_special_tokens")
        if skip is not None and literal_of(skip) is True:
            continue
        encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
        if "num_return_sequences" in call.args.keywords or (encode and _several(encode)):
            raise CannotRewrite(
                "special tokens stay in the texts of several rows, and with them what fills the rows up"
            )


def _several(encode: Encode) -> bool:
    shape = one_or_many(encode)
    return shape == "many" or (shape == "unclear" and "padding" in encode.args.keywords)
