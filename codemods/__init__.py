"""Rewrites into CleanModelLoader calls: edits of bytes, planned on the syntax tree and proven before writing."""
