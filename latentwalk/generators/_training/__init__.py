"""What the trainer is made of: state, steps, discriminators, augmentation, snapshots."""
