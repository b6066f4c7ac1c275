"""Prompts that are scored (`model(**inputs).logits`): the tokenisation goes through the loader, the rest stays."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from codemods.facts.unseen_ids import from_ids
from codemods.plan.sites import CannotRewrite, Site
from codemods.script.model_uses import Calls
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from codemods.texts.encoding import encoding_edit, specials_note
from lint_rules._flow.values.events import Encode, Forward, Generate, TokenizerLoad
from lint_rules._flow.values.joins import Encoded, first

_SUMMARY = "tokenise with CleanModelLoader"


def rewrite(
    script: Script, unmigrated: frozenset[cst.CSTNode], planned: Sequence[Site]
) -> list[Site]:
    """The sites of stray `add_special_tokens=False` on prompts that a forward call scores.

    Args:
        script: The script.
        unmigrated: Loads that stay as they are.
        planned: The sites so far; an encoding inside their edits is done.
    """
    edits = [edit for site in planned for edit in site.edits]
    generated = from_ids(planned)
    done = {site.node for site in planned if site.automatic}
    stays = {load.node for load in script.flow.events(TokenizerLoad)} - done
    sites: list[Site] = []
    for encode in script.flow.events(Encode):
        if not script.reports("CG201", encode.node):
            continue
        start = script.span(encode.node).start
        if any(edit.covers(start) for edit in edits):
            continue
        uses = script.flow.uses(encode)
        try:
            origin = encode.tokenizer.origin
            if origin is None or origin in unmigrated or origin in stays:
                raise CannotRewrite(
                    "where the tokenizer is loaded cannot be seen in this file, or stays"
                )
            goes_on = _goes_on(script, encode)
            if goes_on or any(use.node in generated for use in uses if isinstance(use, Generate)):
                raise CannotRewrite(
                    "its ids go on as they are: take `add_special_tokens=False` out if they lack BOS"
                )
            if any(not isinstance(use, Forward) for use in uses):
                raise CannotRewrite("the generation that it feeds stays as it is")
            if any(_is_labelled_apart(script, encode, use) for use in uses):
                raise CannotRewrite("its labels are tokenised apart: give both the same ids")
            edit, notes = encoding_edit(script, encode)
            sites.append(
                Site("CG201", encode.node, _SUMMARY, (edit,), (specials_note(encode), *notes))
            )
        except CannotRewrite as reason:
            sites.append(Site("CG201", encode.node, _SUMMARY, reason=str(reason)))
    return sites


def _is_labelled_apart(script: Script, encode: Encode, use: Forward | Generate) -> bool:
    """Whether a forward pass compares its scores with what another call of a tokenizer gives."""
    labels = use.args.keywords.get("labels") if isinstance(use, Forward) else None
    if labels is None or labels.expression is None:
        return False
    made = first(labels.value, Encoded)
    if made is not None and made.origin is not encode.node:
        return True
    own, given = script.span(encode.node), script.span(labels.expression)
    return any(
        given.start <= span.start < given.end and span != own
        for span in (script.span(one.node) for one in script.flow.events(Encode))
    )


def _goes_on(script: Script, encode: Encode) -> bool:
    """Whether the ids of a tokenizer call go to a `generate_ids` that the script has already."""
    line = encode.place.line
    name = None if line is None else assigned_name(line)
    return name is not None and any(
        name in script.names_in(script.span(arg.value))
        for call in script.look(Calls, "generate_ids").found
        for arg in call.args
    )
