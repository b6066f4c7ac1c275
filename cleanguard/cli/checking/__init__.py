"""What `check` needs beside its command: options, output, fixes, known findings, watching."""
