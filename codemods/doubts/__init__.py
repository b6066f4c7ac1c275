"""What speaks against guarding a load although nothing in its own lines does: such loads are watched."""
