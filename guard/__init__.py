"""Runtime guard for base models: loading, contamination checks, generation, provenance."""
