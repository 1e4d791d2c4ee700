"""Privacy: exact tests, strata, bounds, intervals and the verdict."""
