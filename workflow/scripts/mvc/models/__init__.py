"""Opening the foundation models: BLIP-2, CLIP, Stable Diffusion."""
