"""Stage augmented: real and synthetic images as one folder to train on."""
