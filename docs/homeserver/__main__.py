"""Run the example homeserver: see docs/homeserver.md."""

from .server import main

main()
