"""What is looked at by itself, on a schedule: whether an agent comes, who waits for one, and how what runs is doing."""
