"""A small homeserver on roomver, over SQLite: the worked example of docs/homeserver.md."""
