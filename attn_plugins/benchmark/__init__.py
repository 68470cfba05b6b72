"""The study: suites of runs, their results and reports, and what a model costs."""
