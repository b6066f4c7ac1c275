"""`python -m cleanguard`: the command line, for a Python whose scripts are not on the path."""

from cleanguard.cli import main

main()
