"""`cleanguard completion`: the script that makes a shell complete commands, options and codes."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cleanguard.report.spoken import put

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script for a SHELL.

    For bash, add `eval "$(cleanguard completion bash)"` to ~/.bashrc; for zsh the same in ~/.zshrc;
    for fish, write it to ~/.config/fish/completions/cleanguard.fish.
    """
    from cleanguard.cli.command_group import group

    maker = get_completion_class(shell)
    assert maker is not None
    put(maker(group, {}, "cleanguard", "_CLEANGUARD_COMPLETE").source() + "\n")
