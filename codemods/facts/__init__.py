"""What a script does with what it loads: where it goes, what it is for, what becomes of each keyword."""
