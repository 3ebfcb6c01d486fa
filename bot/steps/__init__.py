"""ACTING: what Fletcher does to the world once a plan says so, one step at a time, each all or nothing."""
