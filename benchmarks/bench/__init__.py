"""One benchmark run: what it is (a job and its config stack), and how it is fitted, tested and recorded."""
