"""State resolution: by example, and held to its definitions on random forks."""
