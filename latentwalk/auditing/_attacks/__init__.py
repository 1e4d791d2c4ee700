"""Membership attacks, one file a family; importing this registers all of them."""
