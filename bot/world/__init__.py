"""The outside as one value: what steps and their proof need of processes, Docker, LiveKit and the clock."""
