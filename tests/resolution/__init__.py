"""State resolution: examples, and comparisons with its definitions on random forks."""
