"""What a release under a guarantee is worth, and whether its guarantee withstands attacks."""
