"""The airlock: a reader of untrusted weights files that executes nothing."""
