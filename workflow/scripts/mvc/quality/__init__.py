"""Stage quality: label agreement, likeness, diversity and copies."""
