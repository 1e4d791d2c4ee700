"""The airlock: weights files of strangers, read by a reader that executes nothing."""
