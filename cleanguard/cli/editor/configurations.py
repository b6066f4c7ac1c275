"""Configurations in the editor: which files they are, and being told when they change outside."""

from __future__ import annotations

from lsprotocol import types
from pygls.lsp.server import LanguageServer

_CONFIGURATION = "pyproject.toml"


def is_configuration(uri: str) -> bool:
    """Whether a file says how others are checked."""
    return uri.rpartition("/")[2] == _CONFIGURATION


async def watch_configurations(server: LanguageServer) -> None:
    """Asks the editor to tell of changed configurations, if it is one that can be asked."""
    workspace = server.client_capabilities.workspace
    watched = workspace and workspace.did_change_watched_files
    if not (watched and watched.dynamic_registration):
        return
    options = types.DidChangeWatchedFilesRegistrationOptions(
        [types.FileSystemWatcher(f"**/{_CONFIGURATION}")]
    )
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    await server.client_register_capability_async(
        types.RegistrationParams([types.Registration("configurations", method, options)])
    )
