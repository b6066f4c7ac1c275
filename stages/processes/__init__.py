"""The processes of one run: which one this is, how work is shared among them, and what is told when one hangs."""
