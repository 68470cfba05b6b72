"""Benchmarks of this repository: layers, insertion and whole models beside what else computes the same."""
