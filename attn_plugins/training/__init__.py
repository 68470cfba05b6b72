"""What runs a config: loading it, launching it, resuming it, and saying in one sentence what is wrong."""
