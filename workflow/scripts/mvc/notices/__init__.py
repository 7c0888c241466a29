"""What a user should know about data and models, in plain sentences."""
