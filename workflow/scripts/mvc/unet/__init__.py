"""Stage unet: fine-tuning on same-class pairs (Eq. 4)."""
