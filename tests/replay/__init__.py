"""Replay of rooms: recorded ones, whose server said what it believed, and small ones made by hand."""
