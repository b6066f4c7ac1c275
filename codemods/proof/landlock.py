"""Lets Linux (5.19 and later: Landlock) keep a process, and what it starts, from writing outside some folders."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every machine but Alpha
_VERSION, _BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_TRUNCATE = 1 << 14
# Writing, removing, making of each kind, and moving between folders; reading and running stay free.
_CHANGES = 1 << 1 | sum(1 << bit for bit in range(4, 14))
_MOVES, _CUTS = 2, 3  # the versions that know of moving between folders, and of truncating


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled", ctypes.c_uint64),)


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def lock(folders: Iterable[str]) -> bool:
    """From now on, this thread and what it starts write below these folders only.

    Returns:
        Whether the system can do that; nothing is changed where it cannot.
    """
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    version = system.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)
    if version < _MOVES:
        return False
    changes = _CHANGES | (_TRUNCATE if version >= _CUTS else 0)
    asked = _Ruleset(changes)
    rules = system.syscall(_CREATE, ctypes.byref(asked), ctypes.c_size_t(ctypes.sizeof(asked)), 0)
    if rules < 0:
        return False
    try:
        for folder in folders:
            with suppress(OSError):  # a cache that is not there
                _allow(system, rules, folder, changes)
        system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(system.syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(system: ctypes.CDLL, rules: int, folder: str, changes: int) -> None:
    if not Path(folder).is_dir():
        return
    place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _Rule(changes, place)
        system.syscall(_ADD, rules, _BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(place)
