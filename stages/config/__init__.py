"""Stage configurations: frozen dataclasses, filled from presets, files and the command line."""

from stages.config.fields import Option, option, options_of, section
from stages.config.resolve import Given, resolve
from stages.config.show import as_plain, as_toml

__all__ = [
    "Given",
    "Option",
    "as_plain",
    "as_toml",
    "option",
    "options_of",
    "resolve",
    "section",
]
