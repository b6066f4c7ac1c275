"""The pytest plug-in: `--cleanguard` traces every test, the marker fails one, the fixture hands it over.

It is loaded by every run of pytest where cleanguard is installed, so it imports nothing until it is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cleanguard.catalogue.findings import Finding
    from guard.tracing.session import Traced

_RUN: pytest.StashKey[Any] = pytest.StashKey()
_JUDGE: pytest.StashKey[Any] = pytest.StashKey()
_MARKER = "cleanguard"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--cleanguard`."""
    group = parser.getgroup("cleanguard", "traces of what reaches language models")
    group.addoption(
        "--cleanguard",
        action="store_true",
        help="Watch models and tokenizers in every test, report hazards, and fail the run if there are any.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known and take the reports."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(select=None, ignore=()): fail the test if cleanguard sees a hazard in it; "
        "`select` and `ignore` are codes, prefixes or names.",
    )
    config.pluginmanager.register(_Summary(config), "cleanguard-summary")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Watch a test from its first fixture to its last."""
    if not _is_watched(item):
        return (yield)
    with ExitStack() as stack:
        item.stash[_RUN] = stack.enter_context(_traced(item))
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Fail a marked test, and put the findings on its report."""
    report: Any = yield
    run = item.stash.get(_RUN, None)
    if run is None:
        return report
    if call.when == "call" and report.passed and (found := _failing(item, run)):
        report.outcome = "failed"
        report.longrepr = "\n".join(["cleanguard saw in this test:", *map(_line, found)])
    if call.when == "teardown":
        from cleanguard.report.json import as_object

        # JSON's types travel from xdist's workers.
        report.cleanguard = [as_object(finding) for finding in run.findings]
    return report


@pytest.fixture(name="cleanguard")
def _cleanguard(request: pytest.FixtureRequest) -> Iterator[Traced]:
    """What cleanguard sees in this test: `seen` with its events, `findings`."""
    known = request.node.stash.get(_RUN, None)
    if known is not None:
        yield known
        return
    with _traced(request.node) as run:
        yield run


def _is_watched(item: pytest.Item) -> bool:
    wanted = item.config.getoption("--cleanguard")
    return bool(wanted) or item.get_closest_marker(_MARKER) is not None


def _traced(item: pytest.Item) -> AbstractContextManager[Traced]:
    from cleanguard.settings.config import load_settings
    from guard.tracing.child import judge_of
    from guard.tracing.session import scope_of, traced

    settings = load_settings(item.config.rootpath)
    # One for all tests: a model that a fixture loaded in one is used in another.
    if _JUDGE not in item.config.stash:
        item.config.stash[_JUDGE] = judge_of(scope_of(settings))
    return traced(settings, item.config.stash[_JUDGE])


def _failing(item: pytest.Item, run: Traced) -> tuple[Finding, ...]:
    """The findings that a test's marker names; all of them where it names none."""
    marker = item.get_closest_marker(_MARKER)
    if marker is None:
        return ()
    from guard.tracing.findings import findings_of

    select, ignore = marker.kwargs.get("select") or (), marker.kwargs.get("ignore") or ()
    settings = replace(
        run.settings,
        select=_codes(select) or run.settings.select,
        ignore=(*run.settings.ignore, *_codes(ignore)),
    )
    return findings_of(run.gathered, settings, Path.cwd())


def _codes(given: Any) -> tuple[str, ...]:
    return tuple(given.split(",")) if isinstance(given, str) else tuple(given)


def _line(finding: Finding) -> str:
    return f"{finding.filename}:{finding.location}: {finding.code} {finding.message}"


class _Summary:
    """Collects findings from the reports of tests, also of other processes, and tells them."""

    def __init__(self, config: pytest.Config) -> None:
        self.wanted = bool(config.getoption("--cleanguard"))
        self.found: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.tests: dict[tuple[Any, ...], list[str]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take a test's findings."""
        for item in getattr(report, "cleanguard", ()):
            place = item["location"]
            key = (item["filename"], place.get("cell", 0), place["row"], place["column"])
            self.found.setdefault((*key, item["code"]), item)
            self.tests.setdefault((*key, item["code"]), []).append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print each finding once, with the tests in which it was seen."""
        if not self.wanted:
            return
        terminalreporter.section("cleanguard")
        for key in sorted(self.found):
            item, tests = self.found[key], self.tests[key]
            more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
            where = f"{item['filename']}:{key[2]}:{key[3]}"
            terminalreporter.line(f"{where}: {item['code']} {item['message']}")
            terminalreporter.line(f"    in {tests[0]}{more}")
        count = len(self.found)
        said = f"{count} finding{'' if count == 1 else 's'}" if count else "no hazards seen"
        terminalreporter.line(said)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Findings are a failure of a run that asked for them."""
        if self.wanted and self.found and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
