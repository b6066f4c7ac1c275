"""Sixty published formats of secrets, planted and looked for; ordinary text stays."""

from __future__ import annotations

import json
import random
import string

import pytest

from cleanguard.secrets.formats import entropy_of, published
from cleanguard.secrets.redaction import HIDDEN, redact_text

HEX = "0123456789abcdef"
LETTERS = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
LOWER = string.ascii_lowercase + string.digits
BASE32 = string.ascii_uppercase + "234567"


def made(*parts: str | tuple[str, int]) -> str:
    """A secret of a format: literal parts, and drawn ones of an alphabet and a length.

    Put together here, so that no scanner takes this file for a leak.
    """
    draw = random.Random(repr(parts))
    return "".join(
        part if isinstance(part, str) else "".join(draw.choices(part[0], k=part[1]))
        for part in parts
    )


PLANTED = {
    "age": made("AGE-SECRET", "-KEY-1", ("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    "alibaba": made("LT", "AI", (LETTERS, 20)),
    "anthropic": made("sk-ant-", "api03-", (LETTERS, 93), "AA"),
    "anthropic-admin": made("sk-ant-", "admin01-", (LETTERS, 93), "AA"),
    "artifactory": made("AK", "Cp", (LETTERS, 69)),
    "atlassian": made("ATA", "TT3", (LETTERS, 186)),
    "aws": made("AK", "IA", (BASE32, 16)),
    "buildkite": made("bk", "ua_", (HEX, 40)),
    "clojars": made("CLO", "JARS_", (LOWER, 60)),
    "databricks": made("da", "pi", (HEX, 32)),
    "digitalocean": made("dop", "_v1_", (HEX, 64)),
    "digitalocean-refresh": made("dor", "_v1_", (HEX, 64)),
    "docker": made("dckr", "_pat_", (LETTERS, 27)),
    "doppler": made("dp.", "pt.", (LETTERS, 43)),
    "duffel": made("duffel", "_test_", (LETTERS, 43)),
    "dynatrace": made("dt0", "c01.", (UPPER, 24), ".", (UPPER, 64)),
    "easypost": made("EZ", "AK", (LETTERS, 54)),
    "fireworks": made("fw", "_", (LETTERS, 24)),
    "github": made("gh", "p_", (LETTERS, 36)),
    "github-app": made("gh", "s_", (LETTERS, 36)),
    "github-fine": made("github", "_pat_", (LETTERS, 82)),
    "github-oauth": made("gh", "o_", (LETTERS, 36)),
    "gitlab": made("gl", "pat-", (LETTERS, 20)),
    "gitlab-deploy": made("gl", "dt-", (LETTERS, 20)),
    "gitlab-runner": made("gl", "rt-", (LETTERS, 20)),
    "google": made("AI", "za", (LETTERS, 35)),
    "grafana": made("gl", "sa_", (LETTERS, 32), "_", (HEX, 8)),
    "groq": made("gs", "k_", (LETTERS, 52)),
    "huggingface": made("hf", "_", (string.ascii_letters, 34)),
    "huggingface-org": made("api", "_org_", (string.ascii_letters, 34)),
    "jwt": made("ey", "J", (LETTERS, 30), ".ey", "J", (LETTERS, 60), ".", (LETTERS, 43)),
    "linear": made("lin", "_api_", (LETTERS, 40)),
    "mailgun": made("key", "-", (HEX, 32)),
    "notion": made("nt", "n_", (string.digits, 11), (LETTERS, 35)),
    "npm": made("np", "m_", (LETTERS, 36)),
    "nvidia": made("nv", "api-", (LETTERS, 64)),
    "openai": made("sk-", "proj-", (LETTERS, 74), "T3Blbk", "FJ", (LETTERS, 74)),
    "perplexity": made("pp", "lx-", (LETTERS, 48)),
    "planetscale": made("ps", "cale_tkn_", (LETTERS, 43)),
    "postman": made("PM", "AK-", (HEX, 24), "-", (HEX, 34)),
    "prefect": made("pn", "u_", (LOWER, 36)),
    "pulumi": made("pu", "l-", (HEX, 40)),
    "pypi": made("py", "pi-", "AgEIcHlwaS5vcmc", (LETTERS, 60)),
    "readme": made("rd", "me_", (LOWER, 70)),
    "replicate": made("r8", "_", (LETTERS, 37)),
    "rubygems": made("ruby", "gems_", (HEX, 48)),
    "sendgrid": made("S", "G.", (LETTERS, 22), ".", (LETTERS, 43)),
    "shopify": made("shp", "at_", (HEX, 32)),
    "slack-app": made("xa", "pp-1-", (UPPER, 11), "-", (string.digits, 13), "-", (HEX, 64)),
    "slack-bot": made("xo", "xb-", (string.digits, 12), "-", (string.digits, 12), "-", (LETTERS, 24)),
    "slack-webhook": made("https://hooks.", "slack.com/services/T", (UPPER, 10), "/B", (UPPER, 10), "/", (LETTERS, 24)),
    "discord-webhook": made("https://discord.com/api/", "webhooks/", (string.digits, 18), "/", (LETTERS, 68)),
    "square": made("EA", "AA", (LETTERS, 60)),
    "stripe": made("sk", "_live_", (LETTERS, 24)),
    "telegram": made((string.digits, 10), ":A", (LETTERS, 34)),
    "terraform": made((LETTERS, 14), ".atlas", "v1.", (LETTERS, 67)),
    "gitlab-trigger": made("gl", "ptt-", (HEX, 40)),
    "together": made("tg", "p_v1_", (LETTERS, 43)),
    "vault": made("hv", "s.", (LETTERS, 95)),
    "vault-batch": made("hv", "b.", (LETTERS, 150)),
    "xai": made("xa", "i-", (LETTERS, 80)),
}  # fmt: skip


def test_there_are_sixty() -> None:
    assert len(PLANTED) >= 60
    assert len(published()) >= 200


@pytest.mark.parametrize(
    "around", ["{}", "key {} it", "x={},", "({})", '"{}"', "https://h/?q={}&p=1", "a\n{}\nb"]
)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_hidden(name: str, around: str) -> None:
    secret = PLANTED[name]
    shown = redact_text(around.format(secret), ())
    own = secret.rpartition("/")[2]  # of a webhook's address only its end is secret
    assert own not in shown
    assert own[len(own) // 2 :] not in shown
    assert HIDDEN in shown
    assert redact_text(shown, ()) == shown


@pytest.mark.parametrize(
    "text",
    [
        "machine example.org login me password opensesame1",
        "default login me password opensesame1\n",
        "machine example.org\n  login me\n  password opensesame1\n",
    ],
)
def test_a_netrc_entry_is_hidden(text: str) -> None:
    assert "opensesame1" not in redact_text(text, ())


@pytest.mark.parametrize(
    "text",
    [
        "meta-llama/Llama-3.1-8B at 0123456789abcdef0123456789abcdef01234567",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "Donaudampfschifffahrtsgesellschaftskapitänsmütze und Rindfleischetikettierungsgesetz",
        "https://example.org/a/very/long/path/to/some/file-with-a-name.safetensors?download=true",
        "def a_function_with_a_rather_long_name(argument_one, argument_two): return argument_one",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>",
        "the password is asked for when the machine starts, and login is not needed",
        "key_0000000000000000 sk_test hf_hub xoxo glpat- AKIA",
        "hvs.aaaaaaa pat.aaaaaaaaaaaaaaaaaaaaaaa EAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "2026-11-28T10:11:12.131415+00:00 123e4567-e89b-12d3-a456-426614174000",
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact_text(text, ()) == text


def test_every_published_format_compiles_and_names_its_words() -> None:
    import re
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for known in published():
            assert re.compile(known.pattern).groups >= known.group
            assert known.keywords
            assert all(word == word.lower() for word in known.keywords)


def test_entropy() -> None:
    assert entropy_of("aaaa") == 0
    assert entropy_of("abcd") == 2


LATER = {
    "airtable": made("pa", "t", (LETTERS, 14), ".", (HEX, 64)),
    "azure": made((LETTERS, 3), "8Q", "~", (LETTERS, 34)),
    "bitbucket": made("AT", "BB", (LETTERS, 32)),
    "cargo": made("ci", "o", (LETTERS, 32)),
    "databricks-oauth": made("do", "se", (HEX, 32)),
    "discord-bot": made("MT", "E4", (LETTERS, 22), ".G", (LETTERS, 5), ".", (LETTERS, 38)),
    "discord-versioned": made("https://ptb.discord.com/api/v10/", "webhooks/", (string.digits, 18), "/", (LETTERS, 68)),
    "dropbox": made("s", "l.", (LETTERS, 140)),
    "fly": made("fo", "1_", (LETTERS, 43)),
    "linear-oauth": made("lin", "_oauth_", (HEX, 64)),
    "lob": made("li", "ve_", (HEX, 35)),
    "mailchimp": made((HEX, 32), "-us", "12"),
    "new-relic": made("NR", "AK-", (UPPER, 27)),
    "notion-old": made("sec", "ret_", (LETTERS, 43)),
    "nuget": made("oy", "2", (LOWER, 43)),
    "pgp": made("-----BEGIN PGP ", "PRIVATE KEY BLOCK-----\n", (LETTERS, 64), "\n-----END PGP PRIVATE KEY BLOCK-----"),
    "putty": made("Private-", "Lines: 1\n", (LETTERS, 64)),
    "sentry": made("snt", "rys_eyJ", (LETTERS, 60), "_", (LETTERS, 43)),
    "stripe-webhook": made("whs", "ec_", (LETTERS, 32)),
    "tailscale": made("ts", "key-auth-", (LETTERS, 12), "CNTRL-", (LETTERS, 32)),
    "teams": made("https://c.webhook.", "office.com/webhookb2/", (HEX, 36), "@", (HEX, 36), "/IncomingWebhook/", (HEX, 32)),
    "twilio": made("S", "K", (HEX, 32)),
}  # fmt: skip


@pytest.mark.parametrize("around", ["{}", "/models/{}/m", "run_{}", '"{}"', "https://h/?q={}&p=1"])
@pytest.mark.parametrize("name", LATER)
def test_a_format_that_the_rules_leave_out_is_hidden(name: str, around: str) -> None:
    secret = LATER[name]
    shown = redact_text(around.format(secret), ())
    assert secret[-12:] not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize("name", ["grafana", "groq", "huggingface", "npm", "perplexity", "square"])
def test_an_underscore_ends_a_secret_as_a_blank_does(name: str) -> None:
    assert PLANTED[name][-12:] not in redact_text(f"runs/run_{PLANTED[name]}_v1", ())


@pytest.mark.parametrize(
    "url",
    ["postgres://u:pa/opensesame@h/db", "postgresql://u:p#opensesame?@h:1/db"],
)  # fmt: skip
def test_a_password_may_hold_what_an_address_may_not(url: str) -> None:
    assert "opensesame" not in redact_text(url, ())


def test_a_port_and_a_scope_are_no_password() -> None:
    for url in ("http://localhost:8080/a/@scope/pkg", "https://h:443/x?mail=me@h"):
        assert redact_text(url, ()) == url


def test_a_netrc_entry_in_quotes_is_hidden() -> None:
    said = json.dumps({"netrc": "machine h login me\n password opensesame1"})
    assert "opensesame1" not in redact_text(said, ())


@pytest.mark.parametrize("name", ["auth.py:12: it", "test_tokens.py:3:1: it", "a/secrets.ipynb:4"])
def test_the_line_of_a_file_is_no_secret(name: str) -> None:
    assert redact_text(name, ()) == name


@pytest.mark.parametrize("name", ["github", "huggingface", "linear", "perplexity"])
@pytest.mark.parametrize("before", ["a\\n", "a\\t", "a%20", "a%2F", "a_"])
def test_an_escape_before_a_secret_hides_nothing_of_it(name: str, before: str) -> None:
    assert PLANTED[name][-12:] not in redact_text(f"{before}{PLANTED[name]}", ())
