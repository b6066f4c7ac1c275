"""The guard's checks at their edges: the first and the last position, one hit and several, nothing at all.

Each of these was a fault, put in by tools/mutation.py, that no other test saw.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch

from guard import CleanModelLoader, Loaded, provenance_of, unguarded
from guard.base.checks import CheckList
from guard.enforcing.positions import check_positions
from guard.enforcing.prefill import check_bos
from guard.enforcing.raw_ids import RawIds
from guard.enforcing.roads import generates_as_loaded, is_filled
from guard.errors import (
    ContaminationError,
    DoubledBosError,
    GuardWarning,
    MissingBosError,
    PaddingError,
)
from guard.prompts import sentinels
from guard.prompts.control_tokens import ControlSet, Hit
from guard.prompts.encoding import describe, encode_rows
from guard.prompts.names import telling_pieces
from guard.prompts.policy import PromptPolicy, policy_of
from guard.prompts.state import state_of

BOS, PAD, TURN = 5, 0, 1  # TURN is <|im_start|> in the embedded tokenizer


@pytest.fixture
def policy() -> PromptPolicy:
    none = ControlSet((), ())
    return PromptPolicy(None, (BOS,), "tokenizer", 2, PAD, none, "0")


def ids(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows)


def test_where_bos_pads_the_mask_says_where_a_text_begins(policy: PromptPolicy) -> None:
    padded = replace(policy, pad_id=BOS)
    check_bos(padded, ids([BOS, BOS, BOS, 9]), ids([0, 0, 1, 1]))
    with pytest.raises(DoubledBosError) as caught:
        check_bos(padded, ids([BOS, BOS, BOS, 9]), ids([0, 1, 1, 1]))
    assert caught.value.evidence["position"] == 1


def test_a_row_that_is_masked_as_a_whole_begins_at_its_first_column(policy: PromptPolicy) -> None:
    check_bos(policy, ids([BOS, 9]), ids([0, 0]))
    with pytest.raises(MissingBosError, match=r"begins with id 9; this family needs BOS \(id 5\)"):
        check_bos(policy, ids([9, BOS]), ids([0, 0]))


def test_a_prefix_of_several_ids_is_named_as_such(policy: PromptPolicy) -> None:
    with pytest.raises(MissingBosError, match=r"ids \[9, 8\]; .* \(ids \[5, 6\]\)"):
        check_bos(replace(policy, prefix=(5, 6)), ids([9, 8, 7]), None)


@pytest.mark.parametrize("row", [[TURN, 9, 9], [9, 9, TURN], [PAD, TURN, PAD], [9, TURN, PAD, PAD]])
def test_a_control_token_is_found_at_either_end(tiny: Loaded, row: list[int]) -> None:
    with pytest.raises(ContaminationError, match=rf"at token {row.index(TURN)}\)"):
        RawIds(state_of(tiny.model), tiny.tokenizer).check(ids(row))


def test_padding_at_either_end_is_none_even_where_the_pad_token_is_a_control_token(
    tiny: Loaded,
) -> None:
    state = copy.copy(state_of(tiny.model))
    state.policy = replace(state.policy, pad_id=TURN)
    raw = RawIds(state, tiny.tokenizer)
    raw.check(ids([TURN, 9, TURN, TURN]))
    raw.check(ids([TURN, TURN]))
    with pytest.raises(ContaminationError):
        raw.check(ids([TURN, 9, TURN, 9]))


def test_the_table_of_control_ids_holds_those_and_no_others(tiny: Loaded) -> None:
    state = copy.copy(state_of(tiny.model))
    state.policy = replace(state.policy, control=ControlSet(((1, "plain"),), ()))
    raw = RawIds(state, tiny.tokenizer)
    assert raw._among(ids([0, 1, 2, 300, -1]), "control").tolist() == [[False, True, False, False, False]]  # fmt: skip
    marks = raw._among(ids([1, 300]), "marks").tolist()  # <|im_start|> is spelt with parts of marks
    assert marks == [[True, False]]


@pytest.mark.parametrize("part", ["embedding", "decoder"])
def test_ids_by_position_and_by_keyword_are_both_looked_at(tiny: Loaded, part: str) -> None:
    module = tiny.model.get_input_embeddings() if part == "embedding" else tiny.model.get_decoder()
    name = "input" if part == "embedding" else "input_ids"
    bad = ids([TURN, 300, 301])
    with pytest.raises(ContaminationError):
        module(bad)
    with pytest.raises(ContaminationError):
        module(**{name: bad})


def test_a_pass_without_ids_and_embeddings_is_the_librarys_to_refuse(tiny: Loaded) -> None:
    with pytest.raises(ValueError, match="exactly one of input_ids or inputs_embeds"):
        tiny.model.get_decoder()()


class _Cache:
    def __init__(self, length: Any) -> None:
        self.length = length

    def get_seq_length(self) -> Any:
        if isinstance(self.length, Exception):
            raise self.length
        return self.length


@pytest.mark.parametrize(
    ("cache", "filled"),
    [
        (None, False),
        (_Cache(0), False),
        ((), False),
        (_Cache(3), True),
        (((1, 2),), True),
        (_Cache(ValueError("no layers")), True),  # what does not tell may hold anything
        (object(), True),
    ],
)
def test_a_cache_is_filled_unless_it_says_that_it_is_empty(cache: Any, filled: bool) -> None:
    assert is_filled({"past_key_values": cache}) is filled
    assert is_filled({"cache": cache, "use_cache": True}) is filled


def test_whether_a_model_generates_as_it_was_loaded(fresh: Loaded) -> None:
    assert generates_as_loaded(fresh.model)
    fresh.model.generate = lambda *_a, **_k: None
    assert not generates_as_loaded(fresh.model)


def test_transformers_reads_which_parameters_a_step_takes(tiny: Loaded) -> None:
    import inspect

    ours = inspect.signature(tiny.model.prepare_inputs_for_generation).parameters
    theirs = inspect.signature(type(tiny.model).prepare_inputs_for_generation).parameters
    assert list(ours) == [name for name in theirs if name != "self"]


MARKERS = ControlSet((), ("ASSISTANT:", "USER:"))


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("USER: hello", True),  # it opens the text
        ("  \n USER: hello", True),
        ("a menu item, USER: here", False),
        ("see below\nUSER: hello", False),  # once at the beginning of a line says little
        ("first USER:\nsecond", False),
        ("so\nUSER: hello\nASSISTANT: hi", True),
        ("so then USER:\nand ASSISTANT: hi", True),  # the end of a line frames as well
        ("both USER: and ASSISTANT: in prose", False),
        ("so\nUSER: a\nUSER: b", True),  # one of them opens several lines
    ],
)
def test_when_words_of_a_chat_format_are_certain(text: str, certain: bool) -> None:
    hits = MARKERS.in_text(text)
    assert hits
    assert {hit.certain for hit in hits} == {certain}


def test_what_was_found_is_named_up_to_four() -> None:
    hits = [Hit(f"<{n}>", n, "token") for n in range(6)]
    assert describe(hits[:1]) == "'<0>' (at token 0)"
    assert describe(hits[:4]).endswith("'<3>' (at token 3)")
    assert describe(hits[:5]).endswith("'<3>' (at token 3) and 1 more")
    assert describe(hits).endswith(" and 2 more")


def test_a_line_of_four_characters_tells_and_one_of_three_does_not() -> None:
    assert telling_pieces(["\nTurn\n", "abc", "----"]) == {"Turn"}


def test_a_tokenizer_that_loses_its_bos_is_refused(
    tiny: Loaded, policy: PromptPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row, error in (([7, 8], MissingBosError), ([BOS, 8, BOS], DoubledBosError)):
        monkeypatch.setattr(sentinels, "encode_rows", lambda *_, row=row: [row])
        with pytest.raises(error):
            sentinels.run_token_sentinels(tiny.tokenizer, policy, CheckList())


def test_a_doubt_about_bos_is_said_aloud_unless_it_was_settled(
    raw: tuple[Any, Any],
) -> None:
    measured = policy_of(raw[1])
    doubtful = replace(measured, bos_doubt="the files disagree")
    with pytest.warns(GuardWarning, match='the files disagree; say bos="add"'):
        sentinels.run_token_sentinels(raw[1], doubtful, CheckList())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sentinels.run_token_sentinels(raw[1], replace(doubtful, bos_asked="none"), CheckList())
        sentinels.run_token_sentinels(raw[1], measured, CheckList())


def test_what_a_load_looked_at_stands_in_its_record(tiny: Loaded) -> None:
    verdicts = {check.name: check.verdict for check in provenance_of(tiny.model).checks}
    for name in ("plain-prompts-encode-clean", "chat-template-is-blocked", "bos-is-certain"):
        assert verdicts[name] == "pass"


def test_bos_none_is_recorded_with_what_it_keeps_out(tiny_dir: Any) -> None:
    _, tokenizer, _ = CleanModelLoader(tiny_dir, bos="none").load()
    asked = policy_of(tokenizer)
    assert asked.prefix == ()
    assert asked.bos_doubt == ""  # this family has none, so nothing is kept out
    assert 'bos="none" was asked for' in asked.bos_evidence
    assert any("names" in said or "name no BOS" in said for said in asked.bos_evidence)


def test_bos_none_of_a_family_that_has_one_is_a_doubt(llama_like: Any) -> None:
    _, tokenizer, _ = CleanModelLoader(llama_like(True), bos="none").load()
    asked = policy_of(tokenizer)
    assert asked.prefix == ()
    assert asked.bos_doubt == 'bos="none" keeps out <|begin_of_text|> [1]'
    assert any("names" in said for said in asked.bos_evidence)


def test_what_calls_the_model_between_two_steps_is_checked(tiny: Loaded) -> None:
    def ask(_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        tiny.model(ids([TURN, 300, 301]))
        return scores

    for steps in (1, 2):
        with pytest.raises(ContaminationError):
            tiny.model.generate(ids([300, 301]), logits_processor=[ask], max_new_tokens=steps)


def test_a_block_without_the_guard_stands_in_the_record(fresh: Loaded) -> None:
    with unguarded(fresh.model, reason="an ablation"):
        fresh.model(ids([TURN, 300, 301]))
    events = [event for event in provenance_of(fresh.model).events if event.kind == "unguarded"]
    assert [event.detail for event in events] == [{"reason": "an ablation"}]


def test_columns_counted_as_positions_are_told_with_their_padding() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=32, n_positions=32, n_embd=8, n_layer=1, n_head=2)
    decoder = GPT2LMHeadModel(config).eval().get_decoder()
    batch, mask = ids([4, 5, 6, 7], [0, 0, 0, 7]), ids([1, 1, 1, 1], [0, 0, 0, 1])
    with pytest.raises(PaddingError) as caught:
        check_positions(decoder, batch, mask, None)
    assert caught.value.evidence == {"row": 1, "padding": 3, "positions": "wpe"}


def test_bos_spelt_out_is_told_as_such(llama_like: Any) -> None:
    _, tokenizer, _ = CleanModelLoader(llama_like(True)).load()
    policy = policy_of(tokenizer)
    with pytest.raises(DoubledBosError, match="prompt 1 spells out BOS") as caught:
        encode_rows(tokenizer, policy, ["plain", "so <|begin_of_text|>it goes"])
    assert caught.value.evidence["id"] == 1
    plain = encode_rows(tokenizer, replace(policy, special_tokens="text"), ["<|begin_of_text|>"])
    assert plain[0].count(1) == 1
