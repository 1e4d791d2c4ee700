"""The claims of the PLAN paper and remedies for a walk that is found, measured."""
