"""The language server and a client that we did not write: pygls', typed, over standard streams."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

client_of = pytest.importorskip("pygls.lsp.client", reason="comes with the lsp extra")
types = pytest.importorskip("lsprotocol.types", reason="comes with the lsp extra")

SCRIPT = """from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
x = 1  # cleanguard: ignore[CG201] nothing is here
"""


async def session(folder: Path) -> tuple[list[types.Diagnostic], list[types.CodeAction], str]:
    """Opens a file as an editor does; its diagnostics, the actions offered, and a hover."""
    client = client_of.LanguageClient("test", "1")
    told: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def tell(params: types.PublishDiagnosticsParams) -> None:
        told.put_nowait(params)

    await client.start_io(sys.executable, "-c", "from cleanguard.cli import main; main()", "lsp")
    await client.initialize_async(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(), root_uri=folder.as_uri(), process_id=None
        )
    )
    client.initialized(types.InitializedParams())
    uri = (folder / "a.py").as_uri()
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, SCRIPT))
    )
    found = (await told.get()).diagnostics
    place = types.TextDocumentIdentifier(uri)
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(place, found[-1].range, types.CodeActionContext(list(found)))
    )
    hover = await client.text_document_hover_async(
        types.HoverParams(place, types.Position(2, found[0].range.start.character))
    )
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return list(found), list(actions or ()), str(hover)


@pytest.mark.slow
def test_a_typed_client_understands_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SCRIPT, encoding="utf-8")
    found, actions, hover = asyncio.run(asyncio.wait_for(session(tmp_path), 240))
    assert [one.code for one in found] == ["CG101", "CG901"]
    assert found[0].range.start == types.Position(2, 8)
    assert any(action.edit is not None for action in actions)
    assert "CG101" in hover
