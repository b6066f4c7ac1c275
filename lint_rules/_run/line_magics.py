"""The line magics of IPython 9 and its shell aliases, which work without `%` where no variable has their name.

https://ipython.readthedocs.io/en/stable/interactive/magics.html
"""

from __future__ import annotations

# fmt: off
AUTOMATIC = frozenset([
    "alias", "alias_magic", "autoawait", "autocall", "autoindent", "automagic", "autoreload",
    "aimport", "bookmark", "cat", "cd", "clear", "code_wrap", "colors", "conda", "config",
    "connect_info", "cp", "debug", "dhist", "dirs", "doctest_mode", "ed", "edit", "env", "gui",
    "hist", "history", "killbgscripts", "ldir", "less", "lf", "lk", "ll", "load", "load_ext",
    "loadpy", "logoff", "logon", "logstart", "logstate", "logstop", "ls", "lsmagic", "lx",
    "macro", "magic", "mamba", "man", "matplotlib", "micromamba", "mkdir", "more", "mv",
    "notebook", "page", "pastebin", "pdb", "pdef", "pdoc", "pfile", "pinfo", "pinfo2", "pip",
    "popd", "pprint", "precision", "prun", "psearch", "psource", "pushd", "pwd", "pycat",
    "pylab", "python", "qtconsole", "quickref", "recall", "rehashx", "reload_ext", "rep",
    "rerun", "reset", "reset_selective", "rm", "rmdir", "run", "save", "sc", "set_env", "store",
    "sx", "system", "tb", "time", "timeit", "unalias", "unload_ext", "uv", "who", "who_ls",
    "whos", "xdel", "xmode",
])
# fmt: on
