"""What `trace` needs beside its command: the script to run, and running it."""
