"""Counting once, in `statistics`, and showing it in every form that somebody reads."""
