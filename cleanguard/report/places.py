"""Files as the reader of a report looks for them: from the root of the checkout, not from where the check ran."""

from __future__ import annotations

import os
from pathlib import PurePath

# Where runners put the checkout; paths in annotations and code quality reports are looked up from there.
ROOTS = {
    "github": "GITHUB_WORKSPACE",
    "gitlab": "CI_PROJECT_DIR",
    "azure": "BUILD_SOURCESDIRECTORY",
}


def from_root(filename: str, *runners: str) -> str:
    """A file as it is called in a checkout.

    Args:
        filename: As the user would write it, from the current folder.
        runners: Names in `ROOTS`; the first whose variable is set says where the checkout lies. Without
            one it is the current folder.

    Returns:
        The path from there, with slashes and without `./`; outside of it the path as it was given.
    """
    roots = [root for name in runners if (root := os.environ.get(ROOTS[name]))]
    # Not resolved: a checkout behind a link is still called what the runner calls it.
    for root in [*roots[:1], os.getcwd()]:  # noqa: PTH109 - the text is wanted, links and all
        inside = os.path.relpath(os.path.abspath(filename), root)  # noqa: PTH100
        if not inside.startswith(".."):
            return PurePath(inside).as_posix()
    return filename
