"""The measurement behind each hazard: tests that show it, most of them with the libraries alone.

`tools/site.py` writes them on the hazard's page as a command; tests/docs/test_measured.py sees to it that each exists.
"""

from __future__ import annotations

from collections.abc import Mapping

_TRUTH = "tests/docs/test_truth.py"
_MEASURED = "tests/docs/test_measured.py"
_FAMILIES = "tests/guard/real/test_families.py"

MEASURED: Mapping[str, tuple[str, ...]] = {
    "CG101": (f"{_MEASURED}::test_a_stray_adapter_is_loaded_under_the_name_of_the_base",),
    "CG102": (
        f"{_FAMILIES}::test_the_flag_is_not_trusted",
        f"{_FAMILIES}::test_exactly_the_familys_bos",
    ),
    "CG103": (
        f"{_TRUTH}::test_a_call_applies_no_template",
        f"{_TRUTH}::test_default_chat_template_is_a_dead_attribute",
    ),
    "CG104": (f"{_MEASURED}::test_a_quantization_config_takes_any_keyword",),
    "CG105": ("tests/guard/test_source.py::test_a_branch_is_resolved_to_its_commit",),
    "CG106": (f"{_MEASURED}::test_a_repositorys_python_runs",),
    "CG107": (f"{_MEASURED}::test_a_pickle_runs_code_when_it_is_read",),
    "CG108": ("tests/guard/test_behaviour.py::test_its_chat_tune_looks_like_a_chat_model",),
    "CG109": (f"{_MEASURED}::test_a_stray_adapter_is_loaded_under_the_name_of_the_base",),
    "CG110": (f"{_TRUTH}::test_a_misspelt_keyword_is_ignored",),
    "CG111": ("tests/guard/tracing/test_effects.py::test_an_adapter_over_another",),
    "CG201": (
        f"{_FAMILIES}::test_exactly_the_familys_bos",
        "tests/guard/test_enforcement.py::test_bos_is_checked_on_raw_input",
    ),
    "CG202": (f"{_FAMILIES}::test_bos_spelt_out_is_refused",),
    "CG203": (f"{_TRUTH}::test_apply_chat_template_does",),
    "CG204": (f"{_TRUTH}::test_a_control_token_in_a_text_becomes_its_id",),
    "CG205": (f"{_TRUTH}::test_truncation_drops_the_end_without_an_error",),
    "CG301": (f"{_TRUTH}::test_a_passed_generation_config_is_filled_from_the_models",),
    "CG302": (f"{_TRUTH}::test_right_padding_changes_what_is_generated",),
    "CG303": (f"{_TRUTH}::test_a_passed_generation_config_is_filled_from_the_models",),
    "CG304": (f"{_MEASURED}::test_unseeded_samples_are_other_texts",),
    "CG305": (
        "tests/guard/tracing/test_broken.py::test_greedy_search_takes_the_first_token_of_them",
    ),
    "CG401": ("tests/stages/test_sft.py::test_a_collator_that_masks_padding_is_refused",),
    "CG402": (f"{_FAMILIES}::test_bos_spelt_out_is_refused",),
    "CG403": (f"{_TRUTH}::test_a_template_that_was_set_to_none_is_gone_for_who_loads_it",),
    "CG404": (
        "tests/guard/tracing/test_effects.py::test_a_format_that_a_library_installs_stands_at_the_persons_line",
    ),
    "CG501": ("tests/guard/test_verification.py::test_no_statement",),
    "CG502": ("tests/stages/suites/test_suites.py::test_too_few_items_are_told",),
    "CG503": ("tests/stages/test_sft.py::test_overlap_with_the_evaluation_is_refused",),
    "CG601": (f"{_MEASURED}::test_load_returns_three_values",),
    "CG602": (f"{_MEASURED}::test_an_old_loaders_keyword_is_an_error_at_the_call",),
    "CG603": (
        "tests/cleanguard/test_packages.py::test_a_strangers_guard_is_named_in_one_sentence",
    ),
    "CG900": ("tests/lint_rules/test_engine.py::test_a_file_that_cannot_be_read_is_a_finding",),
    "CG901": ("tests/docs/test_site.py::test_the_finding_that_is_shown_is_one",),
}
