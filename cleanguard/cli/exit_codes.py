"""What the exit codes mean, the same for every command."""

CLEAN = 0
FINDINGS = 1
CANNOT_DO = 2
INTERRUPTED = 130
