"""How files are checked: gate, worker processes, cache, rules asked, fixes made."""
