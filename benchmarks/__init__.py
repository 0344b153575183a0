"""Measure how fast roomver is, beside other implementations and on rooms of many shapes.

Run `python -m benchmarks`.
"""
