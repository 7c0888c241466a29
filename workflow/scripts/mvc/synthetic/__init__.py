"""Stage synthetic: sampling with guidance (Eq. 5, 6), and the controls."""
