"""The hazard catalogue: the one list that the linter, the codemods, the runtime guard and the docs share.

A code is never reused. The flags `linted`, `fix`, `guarded` and `traced` say what exists today;
`tests/test_hazards.py` compares them with the rules, rewrites and error classes themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
FixKind = Literal["none", "safe", "unsafe", "migrate"]


@dataclass(frozen=True, slots=True)
class Hazard:
    """One way in which a base model's numbers are ruined.

    Attributes:
        code: `CG` and three digits; stable for ever.
        name: Names the bad pattern in kebab-case, not the remedy.
        severity: The severity of a finding whose value was followed or annotated.
        summary: The pattern in one line.
        why: What it does to results, measured where it can be.
        remedy: What to do about it.
        fix: What the tool can rewrite: nothing, `--fix`, `--unsafe-fixes`, or `migrate`.
        linted: A lint rule or the check engine reports it.
        guarded: The runtime guard raises or records it.
        traced: `cleanguard trace` and `guard.observe()` see it in a script that runs.
        default: Selected when the configuration says nothing.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    why: str
    remedy: str
    fix: FixKind = "none"
    linted: bool = False
    guarded: bool = False
    traced: bool = False
    default: bool = True


RAW_MODEL_LOAD = Hazard(
    code="CG101",
    name="raw-model-load",
    severity="error",
    summary="a causal LM is loaded outside CleanModelLoader",
    why=(
        "from_pretrained checks nothing that matters to a base model: an adapter_config.json left in "
        "the directory is attached silently, an Instruct checkpoint loads like any other, and the "
        "sampling settings in generation_config.json are applied to every generate call, "
        "repetition_penalty even with do_sample=False."
    ),
    remedy="load it with `CleanModelLoader(MODEL, …).load()`",
    fix="migrate",
    linted=True,
    traced=True,
)
RAW_TOKENIZER_LOAD = Hazard(
    code="CG102",
    name="raw-tokenizer-load",
    severity="error",
    summary="the tokenizer of a causal LM is loaded outside CleanModelLoader",
    why=(
        "Whether a tokenizer adds BOS, which control tokens it knows and whether its files carry a "
        "chat template differ from family to family and from release to release; a tokenizer loaded "
        "by hand is checked against none of it."
    ),
    remedy="take the tokenizer that `CleanModelLoader(MODEL, …).load()` returns",
    fix="migrate",
    linted=True,
    traced=True,
)
TEMPLATE_DISABLED_BY_HAND = Hazard(
    code="CG103",
    name="template-disabled-by-hand",
    severity="error",
    summary="chat_template or default_chat_template is set to None by hand",
    why=(
        "It does not do what it is meant to: calling a tokenizer never applies a template, so None "
        "changes no token id; default_chat_template left transformers in 4.44, so assigning it makes a "
        "dead attribute; and a tokenizer saved afterwards has lost its template for everybody else."
    ),
    remedy="drop the lines; CleanModelLoader blocks apply_chat_template on a base tokenizer",
    fix="migrate",
    linted=True,
    traced=True,
)
QUANTIZATION_BY_HAND = Hazard(
    code="CG104",
    name="quantization-by-hand",
    severity="warning",
    summary="a quantization config is put together by hand",
    why=(
        "BitsAndBytesConfig accepts any keyword and drops what it does not know: the bnb_8bit_* "
        "options do not exist, 4-bit without bnb_4bit_quant_type gives fp4, and a config that sets "
        "neither flag (load_in_8bit=args.eight without the option) loads 4-bit weights all the same. "
        "What was asked for and what was loaded then differ without a word."
    ),
    remedy="say `CleanModelLoader(MODEL, load_in_8bit=True)` or `load_in_4bit=True` (nf4, double quantization)",
    fix="migrate",
    linted=True,
    traced=True,
)
UNPINNED_REVISION = Hazard(
    code="CG105",
    name="unpinned-revision",
    severity="error",
    summary="a hub model is loaded without a 40-hex revision",
    why="A branch or tag moves: the same script loads other weights, or other remote code, next month.",
    remedy="pass `revision=` with the full commit hash; `main` is not a pin",
    guarded=True,
    default=False,
    linted=True,
    traced=True,
)
REMOTE_CODE = Hazard(
    code="CG106",
    name="remote-code",
    severity="error",
    summary="trust_remote_code=True runs code from the model repository",
    why="The repository's Python runs with your rights, and can change what the model computes.",
    remedy="use a model that transformers knows, or pin the revision and read the code",
    guarded=True,
    linted=True,
    traced=True,
)
PICKLE_WEIGHTS = Hazard(
    code="CG107",
    name="pickle-weights",
    severity="warning",
    summary="weights are loaded from a pickle",
    why="Pickles can run code, and .bin weights cannot be hashed tensor by tensor without loading them.",
    remedy="convert to safetensors; leave `use_safetensors` on and `weights_only=True`",
    guarded=True,
    fix="unsafe",
    linted=True,
    traced=True,
)
CHAT_MODEL_AS_BASE = Hazard(
    code="CG108",
    name="chat-model-as-base",
    severity="error",
    summary="a chat-tuned checkpoint is used as a base model",
    why="Its answers measure the chat tuning that the experiment believes is absent.",
    remedy="name the base checkpoint, or say that a chat model is meant",
    guarded=True,
    linted=True,
    traced=True,
)
ADAPTER_AS_BASE = Hazard(
    code="CG109",
    name="adapter-as-base",
    severity="error",
    summary="a model directory holds an adapter that would be attached silently",
    why=(
        "transformers attaches the adapter of a stray adapter_config.json, and config._name_or_path "
        "still says the base model."
    ),
    remedy="remove the adapter files, or load the base and attach the adapter by name",
    guarded=True,
    traced=True,
)
UNKNOWN_KEYWORD = Hazard(
    code="CG110",
    name="unknown-keyword",
    severity="error",
    summary="a keyword argument that the called function does not have",
    why="Some calls raise a TypeError on the GPU; others accept the keyword silently and ignore it.",
    remedy="use the keyword that the installed version has",
    fix="safe",
    linted=True,
    traced=True,
)
ADAPTER_OVER_ADAPTER = Hazard(
    code="CG111",
    name="adapter-over-adapter",
    severity="error",
    summary="an adapter is put under a name that one before it has on the same base",
    why=(
        "peft replaces the weights that both adapters have and leaves the rest of the first active: what "
        "is evaluated is a mixture of two adapters. unload() before the second gives the right model."
    ),
    remedy="unload() the first, load the base anew, or give each adapter a name of its own",
    linted=True,
    traced=True,
)
STRAY_NO_SPECIAL_TOKENS = Hazard(
    code="CG201",
    name="stray-no-special-tokens",
    severity="error",
    summary="add_special_tokens=False on a raw prompt to a base model",
    why=(
        "It is a no-op on Qwen and drops BOS on Llama-3, Gemma, Mistral and Llama-2; a Gemma base model "
        "without BOS went from perplexity 6.3 to 440."
    ),
    remedy="let `CleanModelLoader.encode` or `.generate` tokenise: exactly the family's BOS, no more, no less",
    fix="migrate",
    linted=True,
    guarded=True,
    traced=True,
)
DOUBLE_BOS = Hazard(
    code="CG202",
    name="double-bos",
    severity="error",
    summary="text that already holds BOS is tokenised with special tokens",
    why="Two BOS tokens were never seen in pretraining; the answers shift, silently.",
    remedy="tokenise once; rendered chat text takes add_special_tokens=False",
    guarded=True,
    fix="unsafe",
    linted=True,
    traced=True,
)
TEMPLATE_ON_BASE = Hazard(
    code="CG203",
    name="template-on-base",
    severity="error",
    summary="a chat template is applied for a base model",
    why="The prompt then measures the template and its control tokens, not the base model.",
    remedy="give the base model plain text",
    guarded=True,
    linted=True,
    traced=True,
)
CONTROL_TOKEN_LITERAL = Hazard(
    code="CG204",
    name="control-token-literal",
    severity="error",
    summary="a prompt for a base model holds a chat control token",
    why="`<|im_start|>` in a string becomes the control id: the prompt is a chat prompt by another road.",
    remedy="take the token out of the prompt, or neutralise it as plain text",
    guarded=True,
    linted=True,
    traced=True,
)
SILENT_TRUNCATION = Hazard(
    code="CG205",
    name="silent-truncation",
    severity="warning",
    summary="a prompt can be cut without a word",
    why="max_length alone truncates with no warning: 3,014 tokens became 512 and the question was lost.",
    remedy="leave truncation off; CleanModelLoader raises when a prompt does not fit",
    guarded=True,
    fix="unsafe",
    linted=True,
    traced=True,
)
RAW_GENERATE = Hazard(
    code="CG301",
    name="raw-generate",
    severity="error",
    summary="generate and decode by hand on a base model",
    why=(
        "The settings that generation_config.json carries are merged into the call, the slice that "
        "removes the prompt is off by the padding in a batch, and nothing records what was run."
    ),
    remedy="call `CleanModelLoader.generate(model, tokenizer, prompt, …)`",
    fix="migrate",
    linted=True,
    traced=True,
)
RIGHT_PADDING_GENERATION = Hazard(
    code="CG302",
    name="right-padding-generation",
    severity="error",
    summary="a batch is generated from right-padded prompts, or without its attention mask",
    why='Right padding changed " Paris." to "\\nFrance is Paris."; left padding without a mask is wrong too.',
    remedy="pad on the left and pass the mask, as CleanModelLoader does",
    fix="safe",
    linted=True,
    guarded=True,
    traced=True,
)
INHERITED_SAMPLING = Hazard(
    code="CG303",
    name="inherited-sampling",
    severity="warning",
    summary="generation settings come from generation_config.json, or contradict each other",
    why=(
        "Four default runs gave four outputs, and do_sample=False still keeps repetition_penalty and "
        "the list of end tokens."
    ),
    remedy="say every setting, or use CleanModelLoader, which replaces generation_config",
    guarded=True,
    fix="unsafe",
    linted=True,
    traced=True,
)
UNSEEDED_SAMPLING = Hazard(
    code="CG304",
    name="unseeded-sampling",
    severity="warning",
    summary="sampling without a seed",
    why="The result cannot be repeated, by you or by anybody.",
    remedy="pass `seed=` to a guarded call, or call `transformers.set_seed(…)` before a plain one",
    guarded=True,
    linted=True,
    traced=True,
)
BROKEN_SCORES = Hazard(
    code="CG305",
    name="broken-scores",
    severity="error",
    summary="the model's scores are NaN or infinite",
    why=(
        "Greedy search takes token 0 of them and sampling fails or does the same, so texts are empty, "
        "every comparison is 100% identical, and nothing raises an error."
    ),
    remedy=(
        "look at the weights of the layer that is named; load in bfloat16 or float32 where float16 "
        "overflowed, or take the merge or the adapter off"
    ),
    guarded=True,
    traced=True,
)
EOS_MASKED = Hazard(
    code="CG401",
    name="eos-masked",
    severity="error",
    summary="pad is eos and the collator masks pad, so eos carries no loss",
    why="The model never learns to stop, and length-based scores then blame the model.",
    remedy="use a pad token that is not eos, or a collator that masks by position",
    linted=True,
    guarded=True,
    traced=True,
)
TEMPLATED_TEXT_RETOKENIZED = Hazard(
    code="CG402",
    name="templated-text-retokenized",
    severity="error",
    summary="rendered chat text goes to a trainer that tokenises it again",
    why="Pre-rendered Llama text trains with two BOS tokens.",
    remedy="give the trainer token ids or the messages themselves",
    linted=True,
    traced=True,
)
TEMPLATE_STRIPPED_SAVE = Hazard(
    code="CG403",
    name="template-stripped-save",
    severity="error",
    summary="a tokenizer is saved after its template was removed",
    why="Everybody downstream gets a tokenizer without its template, or a stale one beside it.",
    remedy="save the tokenizer as it was loaded",
    fix="unsafe",
    linted=True,
    guarded=True,
    traced=True,
)
CHAT_FORMAT_ON_BASE = Hazard(
    code="CG404",
    name="chat-format-on-base",
    severity="warning",
    summary="a chat format is installed on a base model",
    why="It grows the embeddings and changes eos everywhere: the model is no longer the base.",
    remedy="train on plain text, or say that the result is a chat model",
    linted=True,
    guarded=True,
    traced=True,
)
DROPPED_PROVENANCE = Hazard(
    code="CG501",
    name="dropped-provenance",
    severity="warning",
    summary="records are written from guarded output without its provenance",
    why="A number that cannot be traced to a model, a tokenizer and settings cannot be trusted later.",
    remedy="write them with `guard.JsonlWriter`, or store `provenance` with them",
    fix="unsafe",
    linted=True,
    guarded=True,
    traced=True,
)
TOO_FEW_ITEMS = Hazard(
    code="CG502",
    name="too-few-items",
    severity="warning",
    summary="a reported rate rests on too few items",
    why="With 12 items only a gain of 68 points can be told from chance; with 200 it is 9.",
    remedy="evaluate at least 200 items and print the interval",
    linted=True,
    guarded=True,
)
TRAIN_TEST_OVERLAP = Hazard(
    code="CG503",
    name="train-test-overlap",
    severity="error",
    summary="training data and evaluation items overlap",
    why="The score then measures memory.",
    remedy="split by key and remove near duplicates before training",
    guarded=True,
)
LOADER_UNPACKED_WRONG = Hazard(
    code="CG601",
    name="loader-unpacked-wrong",
    severity="error",
    summary="CleanModelLoader.load() is unpacked into other than three names",
    why="load() returns (model, tokenizer, provenance); two names raise a ValueError after the load.",
    remedy="write `model, tokenizer, provenance = loader.load()`",
    fix="safe",
    linted=True,
)
LOADER_CALL_MISMATCH = Hazard(
    code="CG602",
    name="loader-call-mismatch",
    severity="error",
    summary="a keyword that CleanModelLoader does not take",
    why="The script fails with a TypeError after the weights were loaded.",
    remedy="use the keyword that the loader has",
    guarded=True,
    linted=True,
)
SHADOWED_GUARD = Hazard(
    code="CG603",
    name="shadowed-guard",
    severity="error",
    summary="a file of your own hides a package of cleanguard",
    why="`from guard import CleanModelLoader` then imports your file, or runs unguarded.",
    remedy="rename your file or folder",
    linted=True,
)
UNREADABLE = Hazard(
    code="CG900",
    name="unreadable",
    severity="error",
    summary="the file cannot be read as Python",
    why="What cannot be parsed was not checked, and must not pass for clean.",
    remedy="mend the file, or exclude it in the configuration",
    linted=True,
)
UNUSED_SUPPRESSION = Hazard(
    code="CG901",
    name="unused-suppression",
    severity="warning",
    summary="a suppression that suppresses nothing",
    why="It hides the next hazard on its line.",
    remedy="remove the comment",
    fix="safe",
    linted=True,
)

CATALOGUE: tuple[Hazard, ...] = (
    RAW_MODEL_LOAD,
    RAW_TOKENIZER_LOAD,
    TEMPLATE_DISABLED_BY_HAND,
    QUANTIZATION_BY_HAND,
    UNPINNED_REVISION,
    REMOTE_CODE,
    PICKLE_WEIGHTS,
    CHAT_MODEL_AS_BASE,
    ADAPTER_AS_BASE,
    UNKNOWN_KEYWORD,
    ADAPTER_OVER_ADAPTER,
    STRAY_NO_SPECIAL_TOKENS,
    DOUBLE_BOS,
    TEMPLATE_ON_BASE,
    CONTROL_TOKEN_LITERAL,
    SILENT_TRUNCATION,
    RAW_GENERATE,
    RIGHT_PADDING_GENERATION,
    INHERITED_SAMPLING,
    UNSEEDED_SAMPLING,
    BROKEN_SCORES,
    EOS_MASKED,
    TEMPLATED_TEXT_RETOKENIZED,
    TEMPLATE_STRIPPED_SAVE,
    CHAT_FORMAT_ON_BASE,
    DROPPED_PROVENANCE,
    TOO_FEW_ITEMS,
    TRAIN_TEST_OVERLAP,
    LOADER_UNPACKED_WRONG,
    LOADER_CALL_MISMATCH,
    SHADOWED_GUARD,
    UNREADABLE,
    UNUSED_SUPPRESSION,
)
BY_CODE: dict[str, Hazard] = {hazard.code: hazard for hazard in CATALOGUE}
BY_NAME: dict[str, Hazard] = {hazard.name: hazard for hazard in CATALOGUE}
