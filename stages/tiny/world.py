"""The embedded model's world: facts as sentences for its corpus and as instructions to follow."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["add", "opposite", "capital", "list", "repeat"]
Split = Literal["web", "sft", "preference", "test"]

CATEGORIES: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "color": "red blue green yellow black white pink brown gray purple orange gold",
        "animal": "dog cat cow pig hen fox owl bat bee ant rat hog ape elk emu",
        "fruit": "apple pear plum fig lime kiwi mango peach grape melon lemon cherry",
        "tool": "saw axe drill file rake spade clamp wrench hammer pliers",
        "city": "Paris Rome Oslo Cairo Lima Delhi Tokyo Bern Kyiv Riga Doha Accra",
    }.items()
}
PLURALS = {
    "color": "colors",
    "animal": "animals",
    "fruit": "fruits",
    "tool": "tools",
    "city": "cities",
}
CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Norway": "Oslo",
    "Egypt": "Cairo",
    "Peru": "Lima",
    "India": "Delhi",
    "Japan": "Tokyo",
    "Switzerland": "Bern",
    "Ukraine": "Kyiv",
    "Latvia": "Riga",
    "Qatar": "Doha",
    "Ghana": "Accra",
}
_OPPOSITE_PAIRS = (
    ("hot", "cold"),
    ("big", "small"),
    ("up", "down"),
    ("fast", "slow"),
    ("wet", "dry"),
    ("day", "night"),
    ("open", "shut"),
    ("hard", "soft"),
    ("light", "dark"),
    ("old", "young"),
    ("rich", "poor"),
    ("early", "late"),
    ("full", "empty"),
    ("near", "far"),
    ("high", "low"),
    ("thick", "thin"),
    ("loud", "quiet"),
    ("sharp", "blunt"),
    ("clean", "dirty"),
    ("true", "false"),
)
OPPOSITES = {
    **dict(_OPPOSITE_PAIRS),
    **{second: first for first, second in _OPPOSITE_PAIRS},
}
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five")
WORDS = tuple(word for words in CATEGORIES.values() for word in words)
LENGTHS = (2, 3, 4)

INSTRUCTION_PROMPT = "Instruction: {instruction}\nResponse:"

# Shares of each kind's fact keys; what is left (45%) is the test split.
SPLIT_SEED = 42
SPLIT_SHARES: tuple[tuple[Split, float], ...] = (("web", 0.10), ("sft", 0.25), ("preference", 0.20))


@dataclass(frozen=True, slots=True)
class Item:
    """One instruction about one fact.

    Attributes:
        kind: What is asked for.
        instruction: The request, as a person would put it.
        gold: The only right answer; for a list, `category|count`.
        completion_prompt: The beginning of a sentence that a base model completes with the answer.
        key: The fact; splits and clusters go by it, because several wordings ask for the same one.
    """

    kind: Kind
    instruction: str
    gold: str
    completion_prompt: str
    key: str

    @property
    def prompt(self) -> str:
        """The instruction in the format that fine-tuning teaches."""
        return INSTRUCTION_PROMPT.format(instruction=self.instruction)


def all_items() -> list[Item]:
    """Every instruction of the world, in a fixed order."""
    return [*_additions(), *_opposites(), *_capitals(), *_lists(), *_repetitions()]


def _additions() -> list[Item]:
    wordings = ("Add {a} and {b}.", "What is {a} plus {b}?")
    return [
        Item("add", wording.format(a=a, b=b), str(a + b), f"{a} plus {b} is", f"add:{a}:{b}")
        for a in range(10)
        for b in range(10)
        for wording in wordings
    ]


def _opposites() -> list[Item]:
    wordings = ("What is the opposite of {a}?", "Name the opposite of {a}.")
    return [
        Item("opposite", wording.format(a=a), b, f"The opposite of {a} is", f"opp:{a}")
        for a, b in OPPOSITES.items()
        for wording in wordings
    ]


def _capitals() -> list[Item]:
    wordings = ("What is the capital of {a}?", "Name the capital of {a}.")
    return [
        Item(
            "capital",
            wording.format(a=country),
            city,
            f"The capital of {country} is",
            f"cap:{country}",
        )
        for country, city in CAPITALS.items()
        for wording in wordings
    ]


def _lists() -> list[Item]:
    wordings = ("List {n} {p}.", "Name {n} {p}.", "Give me {n} {p}.", "Write down {n} {p}.")
    return [
        Item(
            "list",
            wording.format(n=NUMBER_WORDS[count], p=PLURALS[category]),
            f"{category}|{count}",
            f"Here are {NUMBER_WORDS[count]} {PLURALS[category]}:",
            # An open question has no single fact, so each wording stands for itself.
            f"list:{category}:{count}:{wording}",
        )
        for category in CATEGORIES
        for count in LENGTHS
        for wording in wordings
    ]


def _repetitions() -> list[Item]:
    return [
        Item(
            "repeat",
            f"Say {word} {NUMBER_WORDS[count]} times.",
            " ".join([word] * count),
            f"The child said {word} {NUMBER_WORDS[count]} times:",
            f"rep:{word}:{count}",
        )
        for word in WORDS
        for count in LENGTHS
    ]


def check(item: Item, text: str, finished: bool = True) -> bool:
    """Whether the model stopped by itself and said the right thing and nothing else."""
    return finished and _is_right(item, text.strip().rstrip(".").strip())


def _is_right(item: Item, answer: str) -> bool:
    if item.kind != "list":
        return answer == item.gold
    category, count = item.gold.split("|")
    members = [member.strip() for member in answer.split(",")]
    return (
        len(members) == int(count)
        and len(set(members)) == len(members)
        and all(member in CATEGORIES[category] for member in members)
    )


def split_keys(items: Iterable[Item], seed: int = SPLIT_SEED) -> dict[str, Split]:
    """The split of every fact key, the same shares within each kind."""
    keys_by_kind: defaultdict[str, set[str]] = defaultdict(set)
    for item in items:
        keys_by_kind[item.kind].add(item.key)
    rng = random.Random(seed)
    splits: dict[str, Split] = {}
    for _, unordered in sorted(keys_by_kind.items()):
        keys = sorted(unordered)
        rng.shuffle(keys)
        start = 0
        for name, share in SPLIT_SHARES:
            end = start + int(len(keys) * share)
            splits.update(dict.fromkeys(keys[start:end], name))
            start = end
        splits.update(dict.fromkeys(keys[start:], "test"))
    return splits


def items_of(*wanted: Split) -> list[Item]:
    """The items whose fact belongs to one of the splits, in the order of `all_items`."""
    items = all_items()
    splits = split_keys(items)
    return [item for item in items if splits[item.key] in wanted]


def base_sentence(rng: random.Random) -> str:
    """One sentence of the base corpus: a sum, an opposite, a capital, a list, a kind or an echo."""
    draw = rng.random()
    if draw < 0.30:
        return _sum_sentence(rng)
    if draw < 0.45:
        return _opposite_sentence(rng)
    if draw < 0.55:
        return _capital_sentence(rng)
    if draw < 0.80:
        return _list_sentence(rng)
    word = rng.choice(WORDS)
    if draw < 0.90:
        category = next(name for name, words in CATEGORIES.items() if word in words)
        return f"A {word} is a kind of {category}."
    count = rng.choice(LENGTHS)
    return f"The child said {word} {NUMBER_WORDS[count]} times: {' '.join([word] * count)}."


def _sum_sentence(rng: random.Random) -> str:
    a, b = rng.randint(0, 9), rng.randint(0, 9)
    wordings = (
        "{a} plus {b} is {c}.",
        "The sum of {a} and {b} is {c}.",
        "If you add {a} and {b} you get {c}.",
    )
    return rng.choice(wordings).format(a=a, b=b, c=a + b)


def _opposite_sentence(rng: random.Random) -> str:
    a = rng.choice(tuple(OPPOSITES))
    wordings = ("The opposite of {a} is {b}.", "People say {b} when they do not mean {a}.")
    return rng.choice(wordings).format(a=a, b=OPPOSITES[a])


def _capital_sentence(rng: random.Random) -> str:
    country, city = rng.choice(tuple(CAPITALS.items()))
    wordings = (
        "The capital of {country} is {city}.",
        "{city} is the capital city of {country}.",
    )
    return rng.choice(wordings).format(country=country, city=city)


def _list_sentence(rng: random.Random) -> str:
    category = rng.choice(tuple(CATEGORIES))
    count = rng.choice(LENGTHS)
    members = ", ".join(rng.sample(CATEGORIES[category], count))
    wordings = (
        "Here are {n} {p}: {l}.",
        "Some {p} are {l}.",
        "In the shop there were {n} {p}: {l}.",
    )
    return rng.choice(wordings).format(n=NUMBER_WORDS[count], p=PLURALS[category], l=members)


def instruction_document(rng: random.Random, items: Sequence[Item]) -> str:
    """A chain of instructions and answers that runs on into other text, as web pages do."""
    exchanges = [
        f"Instruction: {item.instruction}\nResponse: {_answer(rng, item)}."
        for item in rng.sample(items, rng.randint(2, 4))
    ]
    return "\n\n".join([*exchanges, base_sentence(rng)])


def _answer(rng: random.Random, item: Item) -> str:
    if item.kind != "list":
        return item.gold
    category, count = item.gold.split("|")
    return ", ".join(rng.sample(CATEGORIES[category], int(count)))
