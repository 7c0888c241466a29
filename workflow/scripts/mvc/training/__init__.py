"""What policies and classifiers share: networks, augmentation, strategies, the training loop."""
