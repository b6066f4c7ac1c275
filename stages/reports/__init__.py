"""Reports of an evaluation: from records to JSON, Markdown and one self-contained HTML file."""
