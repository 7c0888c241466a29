"""Stage captions: a line of text for each training image, and prompts that name the class."""
