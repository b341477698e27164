"""How fast our models are beside the reference library's, measured side by side in one run.

Both sides get the same sizes, data, dropout, optimiser and number of threads, and take turns, so
that a machine that slows down slows both: what counts is the ratio. Each does what it does by
default: ours computes the vocabulary's scores only where there is a loss and fills batches to a
number of tokens; the reference scores every position and groups rows by length.
"""

from chapter10.bench.report import Row, bench

__all__ = ["Row", "bench"]
