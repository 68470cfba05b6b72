"""Benchmarks this repository's layers, insertion and whole models against other implementations of the same."""
