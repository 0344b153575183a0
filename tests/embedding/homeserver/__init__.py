"""The example homeserver of the documentation, federating with a real Synapse on the loopback interface."""
