"""The harness: a real LiveKit server, a real worker and real clients, made on this machine for the tests."""
