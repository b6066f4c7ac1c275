"""Statistics for paired, clustered evaluations: one file per method, formula and source in each."""
