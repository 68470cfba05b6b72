"""Runs a config: loads it, launches it, resumes it, and says in one sentence what is wrong."""
