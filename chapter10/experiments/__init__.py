"""What each page runs, one module a page; `chapter10.evidence` repeats it over seeds."""
