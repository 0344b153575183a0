"""Replay of recorded rooms, with the state that their server held, of random rooms and of small ones."""
