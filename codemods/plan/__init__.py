"""What a migration plans: sites, edits, a file's plan, and what a person wants of it."""
