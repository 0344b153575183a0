"""What the explaining commands find about a room, as plain data: one module for each command.

A sentence is made of parts (`roomver.explain.said`), so that each form of output shows events and users in
its own way. Nothing is printed here.
"""
