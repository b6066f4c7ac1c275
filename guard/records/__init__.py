"""Results as lines that can be resumed, merged, stated, signed and verified."""
