"""Tests of what the explaining commands find."""
