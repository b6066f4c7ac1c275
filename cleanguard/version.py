"""The version, in one place: packaging reads it here, reports and caches carry it."""

VERSION = "0.1.0"
