"""Which published model lines are base models under their bare name, and why.

A line is what a publisher calls a row of checkpoints that differ in size and version only. Its pattern
matches the beginning of a lower-cased name up to its last known word; `standing` reads what follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

Standing = Literal["base", "chat", "unknown"]

# 7b, 1.5b, 0_5b, 8x7b, 30b-a3b, 1b-a400m, e4b, 135m.
SIZE = r"(?:e?\d+(?:[._]\d+)?[bm]|\d+x\d+(?:\.\d+)?[bm])(?:-?a\d+(?:\.\d+)?[bm])?"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of checkpoints.

    Attributes:
        pattern: Matches the name, with its size where the publisher writes one.
        bare: What the name is when nothing follows but a version.
        why: The reason, in words.
    """

    pattern: re.Pattern[str]
    bare: Standing
    why: str


def _lines(bare: Standing, why: str, *patterns: str) -> tuple[tuple[str, Standing, str], ...]:
    return tuple((pattern, bare, why) for pattern in patterns)


@cache
def lines() -> tuple[Line, ...]:
    """All lines; the first that matches counts. Made when a first name is judged."""
    return tuple(
        Line(re.compile(pattern.replace("SIZE", SIZE)), bare, why) for pattern, bare, why in _LINES
    )


_PRETRAINED = "the publisher gives the bare name to the pretrained weights"
_TUNED = "the publisher gives the bare name to the chat model; its base ends in -Base"

_LINES: tuple[tuple[str, Standing, str], ...] = (
    # Where the bare name is the chat model, or there is nothing but one.
    *_lines(
        "chat",
        _TUNED,
        r"qwen3(?:\.\d)?-(?:next-|coder-)?SIZE",
        r"smollm3-SIZE",
        r"(?:nvidia-)?nemotron-(?:nano-|h-|4-|3-|super-|ultra-)*SIZE",
        r"llama-3\.\d-nemotron-(?:nano|super|ultra)-SIZE",
        r"nemotron-mini-SIZE",
        r"minitron-SIZE",
        r"granite-(?:\d\.\d-)?(?:h-)?(?:SIZE(?:-code)?|micro|tiny|small|medium)",
        r"glm-4-\d+b-0414",
        r"glm-4-32b",
        r"glm-4(?:\.\d)(?:-air|-flash)?",
        r"glm-5(?:\.\d)?",
        r"chatglm\d?-SIZE",
        r"deepseek-(?:v3|v4|r1|r2)(?:\.\d)?(?:-zero|-terminus|-speciale)?",
        r"deepseek-v2\.5",
        r"glm-z1-SIZE",
        r"internlm2-math-(?:plus-)?SIZE",
        r"minimax-(?:text-)?[m0]\d(?:\.\d)?",
        r"exaone-deep-SIZE",
        r"ai21-jamba-(?:1\.\d-)?(?:mini|large)",
        r"(?:ling|ring)-(?:lite|mini|flash|plus|1t)",
        r"afm-SIZE",
        r"trinity-(?:nano|mini|large)",
        r"command-a",
        r"phi-?3(?:\.5)?(?:-mini|-small|-medium|-moe)?",
        r"phi-?4(?:-mini|-multimodal|-reasoning)?",
        r"kimi-k\d(?:\.\d)?",
        r"mimo-SIZE",
        r"hunyuan-(?:SIZE|a\d+b|large|mt-SIZE)",
        r"seed-oss-SIZE",
        r"falcon-?h1-SIZE",
        r"falcon3-(?:mamba-)?SIZE",
        r"h2o-danube\d?(?:\.\d)?-SIZE",
        r"lfm2(?:\.\d)?-SIZE",
        r"apertus-SIZE-instruct",
        r"ernie-4\.5-(?:SIZE|\d+b)",
        r"command-r(?:-plus)?",
        r"c4ai-command-\w+(?:-plus)?",
        r"aya(?:-expanse|-101|-23)?-?SIZE",
        r"gpt-oss-SIZE",
        r"qwq-SIZE",
        r"bloomz-?(?:\d+b\d|SIZE)?(?:-mt|-p3)?",
        r"bitnet-b1\.58-2b-4t",
        r"minicpm4?-SIZE",
        r"exaone-\d(?:\.\d)?-SIZE",
        r"mathstral-SIZE",
        r"codestral-SIZE",
        r"opt-iml(?:-max)?-SIZE",
        r"orca-?2-SIZE",
        r"magistral-small",
        r"devstral-small",
    ),
    *_lines(
        "base",
        _PRETRAINED,
        r"(?:code)?qwen(?:1\.5|2|2\.5)?-(?:moe-|coder-|math-)?(?:SIZE|a\d+(?:\.\d+)?b)",
        r"(?:meta-)?llama-?(?:2-|3-|3\.1-|3\.2-|3-\d-)?SIZE",
        r"(?:meta-)?llama-?4-(?:scout|maverick)-17b-\d+e",
        r"codellama-SIZE(?:-python)?",
        r"open_?llama_?-?SIZE(?:_v\d)?",
        r"sheared-llama-SIZE",
        r"llemma_SIZE",
        r"tinyllama(?:_v1\.1|-SIZE-(?:intermediate-)?step-\d+k(?:-(?:token-)?\d+(?:\.\d+)?[tb])?)",
        r"(?:code|recurrent|vault)?gemma-(?:[234]n?-)?SIZE",
        r"(?:mistral|mixtral)-SIZE",
        r"mistral-(?:nemo|small(?:-3(?:\.\d)?)?)(?:-SIZE)?",
        r"ministral-3-SIZE",
        r"deepseek-(?:llm-|coder-|math-|moe-)?SIZE",
        r"deepseek-(?:coder-)?v2(?:-lite)?",
        r"smollm2?-SIZE",
        r"(?:distil)?gpt2(?:-medium|-large|-xl)?",
        r"pythia-(?:intervention-)?(?:SIZE)(?:-deduped)?",
        r"gpt-neo-SIZE",
        r"gpt-neox-SIZE",
        r"gpt-j-SIZE",
        r"polyglot-ko-SIZE",
        r"olmo-(?:1\.7-|2-\d{4}-|3-\d{4}-)?SIZE",
        r"olmoe-SIZE-SIZE",
        r"amd-olmo-SIZE",
        r"falcon2?-(?:rw-|mamba-)?SIZE",
        r"opt-SIZE",
        r"bloom(?:-\d+b\d|-SIZE)?",
        r"yi-(?:1\.5-|coder-)?SIZE",
        r"phi-(?:1(?:_5)?|2)",
        r"mpt-SIZE",
        r"stablelm-(?:base-alpha-|2-|3b-4e1t)?(?:SIZE)?",
        r"stable-code-SIZE",
        r"internlm\d?(?:_5)?-(?:math-)?(?:base-)?SIZE",
        r"baichuan2?-SIZE",
        r"glm-4-9b",
        r"solar-SIZE",
        r"dbrx",
        r"jamba-(?:v0\.1|1\.5-\w+)",
        r"(?:falcon-)?mamba2?-SIZE",
        r"rwkv-[\d.]+(?:-world)?-SIZE(?:-pile)?",
        r"xglm-SIZE",
        r"xgen-SIZE(?:-[48]k)?",
        r"cerebras-gpt-SIZE",
        r"redpajama-incite(?:-base)?-SIZE",
        r"gpt-sw3-SIZE",
        r"starcoder(?:base|2)?(?:-SIZE)?",
        r"santacoder",
        r"codegen(?:2|25)?-SIZE(?:-mono|-multi|-nl)?",
        r"codegen25-SIZE-(?:mono|multi)",
        r"galactica-SIZE",
        r"mobilellm-SIZE",
        r"openelm-SIZE",
        r"apertus-SIZE",
        r"amber",
        r"eurollm-SIZE",
        r"salamandra-SIZE",
        r"dclm-SIZE",
        r"zamba2?-SIZE",
        r"skywork-SIZE",
        r"aquila2?-SIZE",
        r"xverse-SIZE",
        r"orion-SIZE",
        r"sailor2?-SIZE",
        r"lucie-SIZE",
        r"nemotron-4-SIZE",
        r"plamo-SIZE",
        r"persimmon-SIZE",
        r"fuyu-SIZE",
        r"kimi-linear-SIZE",
        r"moonlight-SIZE",
        r"comma-v0\.1-\dt",
        r"rho-math-SIZE",
        r"cosmo-SIZE",
        r"microllama",
        r"mobillama-SIZE",
        r"crystalcoder",
        r"blackmamba-SIZE",
        r"openai-gpt",
        r"mgpt",
        r"biogpt(?:-large)?",
        r"biomedlm",
        r"meditron-SIZE",
        r"starcoderplus",
        r"tiny_starcoder_py",
        r"gpt_bigcode-santacoder",
        r"polycoder-SIZE",
        r"replit-code-v1(?:_5)?-SIZE",
        r"decilm-SIZE",
        r"decicoder-SIZE",
        r"flm-SIZE",
        r"palmyra-base",
        r"pleias-(?:nano|pico|SIZE)",
        r"jais-(?:family-)?(?:SIZE|\dp\db)",
        r"acegpt-SIZE",
        r"sarvam-1",
        r"phogpt-SIZE",
        r"(?:llama-)?sea-lion-(?:v\d-)?SIZE",
        r"(?:japanese-|bilingual-)gpt-neox?-SIZE",
        r"gpt-neox-japanese-SIZE",
        r"(?:youri|nekomata)-SIZE",
        r"llama-3-youko-SIZE",
        r"open-calm-SIZE",
        r"calm2-SIZE",
        r"(?:llama-3-)?swallow-(?:ms-)?SIZE",
        r"elyza-japanese-(?:llama-2|codellama)-SIZE",
        r"stockmark-SIZE",
        r"llm-jp-(?:\d-)?SIZE",
        r"sarashina2?(?:\.\d)?-SIZE",
        r"japanese-large-lm-SIZE",
        r"(?:llama-2|gemma)-ko-SIZE",
        r"bielik-SIZE",
        r"poro-SIZE",
        r"viking-SIZE",
        r"normistral-SIZE-(?:warm|scratch)",
        r"croissantllmbase",
        r"leo-hessianai-SIZE",
        r"geitje-SIZE",
        r"towerbase-SIZE",
    ),
)
