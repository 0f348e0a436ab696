"""Scripts as a careful user writes them with the underlying libraries alone: the other side of `benchmarks.peers`.

Each module's `train` goes through the phases of a run of adapt: load, prepare, evaluate, train with an evaluation and a
checkpoint each epoch, save. It gives back the training losses, the metrics before and after, and the seconds of the
training phase.
"""
