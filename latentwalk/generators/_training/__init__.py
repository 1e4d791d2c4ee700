"""What the trainer is made of: step, discriminator, augmentation, snapshots, checkpoints."""
