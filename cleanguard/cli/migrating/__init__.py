"""What `migrate` needs beside its command: choices, git, the plan for people, proof arguments."""
