"""Takes secrets out of what is written down: command lines, URLs, environment values, whole records.

Three nets, since each has holes: formats that secrets are known by (those of a published scanner and a
few that it leaves out), names that say a value is secret, and the values of this process's own secret
environment variables, wherever they turn up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cleanguard.secrets.formats import BEGUN, hide_published

HIDDEN = "[redacted]"

_FORMATS = re.compile(
    rf"""{BEGUN}"""
    r"""
      (?:
          hf_[A-Za-z0-9]{8,} | api_org_[A-Za-z0-9]{8,}
        | sk-[A-Za-z0-9_-]{8,} | [sr]k_(?:live|test)_[A-Za-z0-9]{8,}
        | gh[pousr]_[A-Za-z0-9]{8,} | github_pat_[A-Za-z0-9_]{8,} | glpat-[\w-]{8,}
        | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}
        | AIza[\w-]{20,} | ya29\.[\w.-]{8,}
        | xox[abeoprs]-[\w-]{8,} | xapp-[\w-]{8,}
        | pypi-[\w-]{16,} | npm_[A-Za-z0-9]{16,} | dop_v1_[a-f0-9]{16,}
        | SG\.[\w-]{8,}\.[\w-]{8,} | r8_[A-Za-z0-9]{16,} | nvapi-[\w-]{16,} | gsk_[A-Za-z0-9]{16,}
        | wandb_v\d_\w{8,} | key-[a-f0-9]{32}
        | eyJ[\w-]{8,}\.eyJ[\w-]{4,}(?:\.[\w-]*)?
        | \d{8,10}:[\w-]{35} | fw_[A-Za-z0-9]{16,} | xai-[A-Za-z0-9]{16,} | tgp_v\d_[\w-]{16,}
        | (?:dose|DOSE)[a-f0-9]{32} | ATBB[A-Za-z0-9]{24,} | lin_oauth_[A-Za-z0-9]{24,} | secret_[A-Za-z0-9]{43}
        | [MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.[\w-]{27,} | whsec_[\w+/=-]{16,} | SK[a-f0-9]{32}
        | [a-f0-9]{32}-us\d{1,2} | sntry[su]_[\w+/=-]{32,} | NR(?:AK|JS|II|RA|BR)-\w{16,} | sl\.[\w-]{60,}
        | fo1_[\w-]{43} | tskey-[\w-]{16,} | cio[A-Za-z0-9]{32}(?![A-Za-z0-9])
        | oy2[a-z0-9]{43} | (?:live|test)_[a-f0-9]{35} | pat[A-Za-z0-9]{14}\.[a-f0-9]{32,}
        | [A-Za-z0-9_~.]{3}\dQ~[\w~.-]{31,34}
        | hv[sbr]\.[\w-]{16,} | dckr_(?:pat|oat)_[\w-]{16,} | dapi[a-f0-9]{32}
      )
    | (?<=hooks\.slack\.com/services/)[\w/]{16,}
    | (?<=/api/webhooks/)\d+/[\w-]{16,} | (?<=/api/v\d/webhooks/)\d+/[\w-]{16,}
    | (?<=/api/v\d\d/webhooks/)\d+/[\w-]{16,} | (?<=\.webhook\.office\.com/)[\w@/-]{36,}
    | AGE-SECRET-KEY-1[A-Z0-9]{16,}
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
      (?:.*?-----END[ ][A-Z ]*PRIVATE[ ]KEY(?:[ ]BLOCK)?-----|.*)
    | (?<=Private-Lines:)\s*\d+.*?(?=Private-MAC:|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
# `machine example.org login someone password it` in a netrc file.
_NETRC = re.compile(r"(?<![\w-])(password|passwd|account)(\s+)(?=\S)([^\s\"'\\]+)(?=[\s\"'\\]|$)")
_NETRC_HEAD = re.compile(r"(?<![\w-])(?:machine\s+\S+|default)\s+(?:login|user|password)\s+\S")
# A password may hold what an address may not; a port and the path behind it are none.
_USER_INFO = re.compile(
    r"(?<=://)(?:[^/?#\s\"']+|[^/?#\s\"':@]*:(?!\d{1,5}(?:[/?#]|$))[^\s\"'@]+)(?=@)"
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|negotiate)[ ]+[\w.~+/=:-]{6,}")
_SEGMENTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+")
_SECRET_WORDS = frozenset(
    {
        "token", "tokens", "secret", "secrets", "password", "passwd", "passphrase", "pwd", "pass", "pat",
        "credential", "credentials", "creds", "apikey", "auth", "authorization", "bearer", "cookie",
        "signature", "sig", "jwt", "netrc",
    }
)  # fmt: skip
_ROLES = frozenset({"bos", "eos", "pad", "unk", "sep", "cls", "mask", "stop", "literal"})
_MEASURES = frozenset(
    {
        "max",
        "min",
        "new",
        "num",
        "n",
        "special",
        "control",
        "prompt",
        "total",
        "per",
        "added",
        "batch",
    }
)
# "key" alone names columns and item keys; with one of these before or after it, it opens something.
_KEY_OWNERS = frozenset(
    {
        "api", "access", "secret", "private", "signing", "ssh", "aws", "azure", "account", "wandb", "hf",
        "openai", "anthropic", "github", "gitlab", "encryption", "master", "license", "deploy", "neptune",
        "comet", "service", "client", "auth",
    }
)  # fmt: skip
_ASSIGNED = re.compile(r"""(?<![\w.-])["']?(-{0,2}[A-Za-z_][\w.-]*)["']?\s*[=:]\s*""")
_VALUE = re.compile(r"""(["'])(?:(?!\1).)*\1?|[^\s&,;"'}\]]+""")
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]*(?:key|token)[\w-]*)(\s*:\s*)[^\"'\n]+"
)
_SPOKEN_OPTION = re.compile(r"(?<![\w-])(--?[A-Za-z][\w.-]*)(\s+)(?!-)([^\s\"',\]}]+)")
_OPTION = re.compile(r"--[A-Za-z]|-[A-Za-z]$")
_NAME = re.compile(r"[-+~]{0,2}[A-Za-z_][\w.-]*")
_COUNT = re.compile(r"\d{1,7}|\d+\.\d+|true|false|none|null", re.IGNORECASE)
# What a sentence says behind a name that is not a setting's: "one_token: 64 items", "one_token: 12.5%".
_COUNTED = re.compile(
    r"[-+\u2212]?\d{1,7}(?:\.\d+)?(?:\s+(?:of\s+\d|[a-z]{3,}s\b)|\s*%)|1\s+[a-z]{4,}\b"
)
_FILE_NAME = re.compile(
    r"\.(?:jsonl?|py|ipynb|ya?ml|toml|ini|cfg|md|txt|csv|parquet|safetensors|bin|jinja|html|log|lock)$",
    re.IGNORECASE,
)
_FILE_SAYS = re.compile(r"\d+(?::|\s|$)|\s")
_PLAIN_WORDS = re.compile(r"[a-z]+ [a-z]+(?=[\s,.;:]|$)")
_ASKED_FOR = frozenset({"password", "passwd", "passphrase", "pwd", "pass", "pin"})  # may be digits
_SHORTEST = 6  # characters; a shorter value of a secret variable would mask ordinary text


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Whether a variable, option or field of this name holds a secret."""
    words = [word.lower() for word in _SEGMENTS.findall(name)]
    if name == "PWD":  # the working directory
        return False
    if _SECRET_WORDS & set(words) - _vocabulary(words):
        return True
    glued = "".join(words)
    if any(f"{owner}key" in glued for owner in ("api", "access", "secret", "private")):
        return True
    return bool({"key", "keys"} & set(words)) and bool(_KEY_OWNERS & set(words))


def _vocabulary(words: Sequence[str]) -> set[str]:
    """The words that speak of a model's tokens here, as in `eos_token` or `max_new_tokens`."""
    about: set[str] = set()
    if _ROLES & set(words):
        about.add("token")
    if (_ROLES | _MEASURES) & set(words):
        about.add("tokens")
    return about


def is_a_count(name: str, value: str) -> bool:
    """Whether a field called like a secret only counts tokens or switches something on."""
    words = {word.lower() for word in _SEGMENTS.findall(name)}
    if words & {"secret", "password", "passwd"} or ("token" in words and "tokens" not in words):
        return value.lower() in {"true", "false", "none", "null"}
    return bool(_COUNT.fullmatch(value))


def known_secrets(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Values of secret environment variables, the longest first; they are hidden everywhere."""
    found = {
        value
        for name, value in (os.environ if environment is None else environment).items()
        if names_a_secret(name)
        and len(value) >= _SHORTEST
        and not _COUNT.fullmatch(value)
        and not os.path.exists(value)  # noqa: PTH110 - a socket or key file's path is no secret
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def redact_text(text: str, secrets: Sequence[str] | None = None) -> str:
    """A text with known secrets, secret formats, URL users and `secret-name=value` hidden."""
    text = redact_formats(text, secrets)
    if _NETRC_HEAD.search(text):
        text = _NETRC.sub(lambda match: f"{match[1]}{match[2]}{HIDDEN}", text)
    text = _SCHEME.sub(lambda match: f"{match[1]} {HIDDEN}", text)
    text = _HEADER.sub(lambda match: f"{match[1]}{match[2]}{HIDDEN}", text)
    text = _SPOKEN_OPTION.sub(_hide_spoken, text)
    return _hide_assigned(text)


def redact_formats(text: str, secrets: Sequence[str] | None = None) -> str:
    """A text with known secrets, secret formats and URL users hidden: what is one whatever it is called.

    For data and answers of models, in which `token: …` is mostly none.
    """
    for secret in known_secrets() if secrets is None else secrets:
        text = text.replace(secret, HIDDEN)
    return _USER_INFO.sub(HIDDEN, hide_published(_FORMATS.sub(HIDDEN, text), HIDDEN))


def redact_argv(argv: Sequence[str], secrets: Sequence[str] | None = None) -> tuple[str, ...]:
    """A command line whose secret options, secret formats and URL users are hidden."""
    secrets = known_secrets() if secrets is None else secrets
    shown: list[str] = []
    option = ""  # the secret option whose value comes next
    for word in argv:
        name, equals, value = word.partition("=")
        if option and not _OPTION.match(word):
            shown.append(word if is_a_count(option, word) else HIDDEN)
            option = ""
            continue
        option = ""
        if _NAME.fullmatch(name) and names_a_secret(name):
            if equals:
                shown.append(word if is_a_count(name, value) else f"{name}={HIDDEN}")
                continue
            option = name if name.startswith("-") else ""
        shown.append(redact_text(word, secrets))
    return tuple(shown)


def redact_value(value: Any, secrets: Sequence[str] | None = None, *, by_name: bool = True) -> Any:
    """JSON types with every secret hidden: in strings and, `by_name`, under names that say so."""
    secrets = known_secrets() if secrets is None else secrets
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, Mapping):
        shown = {}
        for name, member in value.items():
            hide = by_name and isinstance(member, str) and names_a_secret(str(name))
            kept = not hide or is_a_count(str(name), member)
            shown[redact_text(str(name), secrets)] = (
                redact_value(member, secrets, by_name=by_name) if kept else HIDDEN
            )
        return shown
    if isinstance(value, list | tuple) and all(isinstance(member, str) for member in value):
        return list(redact_argv(value, secrets))
    if isinstance(value, list | tuple):
        return [redact_value(member, secrets, by_name=by_name) for member in value]
    return value


def _hide_spoken(match: re.Match[str]) -> str:
    """Hides the value in `--secret-name value` within a text."""
    option, space, value = match.groups()
    kept = not names_a_secret(option) or is_a_count(option, value) or value.startswith(HIDDEN[:-1])
    return match[0] if kept else f"{option}{space}{HIDDEN}"


def _hide_assigned(text: str) -> str:
    """Hides the value in `secret-name=value`, `"secret-name": "value"` and their like."""
    parts: list[str] = []
    done = 0
    for found in _ASSIGNED.finditer(text):
        value = _VALUE.match(text, found.end())
        if found.start() < done or value is None or not names_a_secret(found[1]):
            continue
        if value[0] == "`":  # "write `token=`": the name alone, as code
            continue
        if value[0].startswith("[redacted") or is_a_count(found[1], value[0].strip("\"'")):
            continue
        if _is_said_of(found, text):
            continue
        quote = value[1] or ""
        parts += [text[done : found.end()], quote, HIDDEN, quote]
        done = value.end()
    return "".join([*parts, text[done:]])


def _is_said_of(found: re.Match[str], text: str) -> bool:
    """Whether what follows a name and a colon is said of it (a file, or what was counted) and not its value."""
    name = found[1]
    colon = text[found.end(1) : found.end()]
    if not colon.startswith(":") or name.startswith("-"):
        return False
    if _FILE_NAME.search(name):
        return bool(_FILE_SAYS.match(text, found.end(1) + 1))
    if not re.fullmatch(":[ ]+", colon):
        return False
    if text[: found.start(1)].endswith(("/", "\\")):
        return bool(_PLAIN_WORDS.match(text, found.end()))
    words = {word.lower() for word in _SEGMENTS.findall(name)}
    return not words & _ASKED_FOR and bool(_COUNTED.match(text, found.end()))
