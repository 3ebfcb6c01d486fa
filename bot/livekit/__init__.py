"""What LiveKit means: pure; knows nothing of files, Docker, Slack or runbooks."""
