"""What a reader wants to know first: what the base can do, and what tuning made of it."""

from __future__ import annotations

from collections.abc import Sequence

from stages.comparing.comparison import Comparison, compare
from stages.comparing.plan import Plan
from stages.reports.measure import Answers, paired
from stages.reports.model import Lead, Rates
from stages.reports.words import difference, with_interval
from stages.suites.item import Endpoint, Kind, Meaning

BASE = "base"


def lead_of(
    answers: Answers,
    rates: Sequence[Rates],
    subjects: Sequence[str],
    forms: Sequence[str],
    primary: Sequence[Comparison],
    plan: Plan,
    *,
    kind: Kind,
    meaning: Meaning,
    endpoint: Endpoint,
) -> Lead:
    """The first screen of a report.

    The base's own form is the one in which it is right most often, whatever follows the right answer:
    a base need not stop.

    Args:
        answers: First answers by model and form.
        rates: Of each of them.
        subjects: The models, in order.
        forms: The forms that every model was asked in; the first one counts.
        primary: The comparisons of the models in those.
        plan: Levels.
        kind, meaning, endpoint: Of the suite.
    """
    weigh: Endpoint = "content" if kind == "answers" else endpoint
    found = {(one.subject, one.form): one for one in rates}
    form, last = forms[0], subjects[-1]
    tuned = [found[name, form] for name in subjects if name != BASE]
    own = max(
        (one for one in rates if one.subject == BASE),
        key=lambda one: (one.of(weigh).rate, one.form == form),
        default=None,
    )
    if own is None or last == BASE:
        shown = [own] if own else tuned
        return Lead(_alone(shown, weigh, meaning), tuple(shown), weigh, None)
    alike = found.get((BASE, form))
    shown = [own, *([alike] if alike and alike is not own else []), *tuned]
    gap = None
    if own.form != form:
        gap = _gap(answers, own.form, last, form, weigh, plan)
    gain = next((one for one in primary if (one.before_name, one.after_name) == (BASE, last)), None)
    if meaning == "contaminated":
        return Lead(_alone(shown, weigh, meaning), tuple(shown), weigh, gap)
    words = _words(own, alike, found[last, form], gap, gain, weigh)
    return Lead(words, tuple(shown), weigh, gap)


def _gap(
    answers: Answers, own: str, last: str, form: str, weigh: Endpoint, plan: Plan
) -> Comparison | None:
    before, after = answers[BASE, own], answers[last, form]
    shared = [item for item in before if item in after]
    if not shared:
        return None
    label = f"{BASE} in its own form ({own}), {last} in its form ({form})"
    return compare(
        paired(
            label, (BASE, last), [before[item] for item in shared],
            [after[item] for item in shared], weigh,
        ),
        plan,
    )  # fmt: skip


def _words(
    own: Rates,
    alike: Rates | None,
    tuned: Rates,
    gap: Comparison | None,
    gain: Comparison | None,
    weigh: Endpoint,
) -> str:
    reached = with_interval(tuned.of(weigh))
    if gap is None:
        said = (
            f"Asked in the same form ({tuned.form}), base is right on "
            f"{with_interval(own.of(weigh))} of the items, {tuned.subject} on {reached}."
        )
        if gain is None:
            return said
        bought = {
            "better": f"Tuning bought {difference(gain)} points there.",
            "worse": f"Tuning cost points there: {difference(gain)}.",
            "undetermined": f"That tuning changed anything is not shown: {difference(gain)} points.",
        }
        return f"{said} {bought[gain.call]}"
    there = f", where base has {with_interval(alike.of(weigh))}" if alike else ""
    said = (
        f"Asked in its own way ({own.form}), base is right on {with_interval(own.of(weigh))} of the "
        f"items; {tuned.subject}, asked in its form ({tuned.form}), on {reached}{there}."
    )
    return f"{said} {_bought(tuned.subject, gap, gain)}"


def _bought(last: str, gap: Comparison, gain: Comparison | None) -> str:
    """What the tuned model has beside the base at its best."""
    bought = "Tuning bought the form"
    if gain is not None and gain.call != "better":
        bought = f"That tuning bought the form is not shown ({difference(gain)} points)"
    points = f"{difference(gap)} points"
    if gap.call == "worse":
        return f"{bought}, no knowledge: {last} stands below what base shows in its own, {points}."
    if gap.call == "better":
        return f"{bought} and more: {last} stands above base at its best, {points}."
    return f"{bought}; that {last} knows more or less than base at its best is not shown, {points}."


def _alone(shown: Sequence[Rates], weigh: Endpoint, meaning: Meaning) -> str:
    rates = "; ".join(
        f"{one.subject} ({one.form}): {with_interval(one.of(weigh))}" for one in shown
    )
    what = "Right" if meaning == "able" else "Passed, which speaks against a clean base"
    return f"{what} on this share of the items, {rates}."
