"""The version, in one place: packaging reads it here, reports and caches carry it."""

VERSION = "0.1.0"
# Where `make docs` is published, as an address; empty as long as it is nowhere.
DOCS = ""
