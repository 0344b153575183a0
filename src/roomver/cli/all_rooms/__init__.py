"""``roomver check --rooms``: all rooms of databases, folders and files, in parallel.

- `options`: of the call, and what it asks.
- `find`: which rooms there are, largest first.
- `worker`: one room, in a process of its own or on another machine. It reads its room by itself.
- `run`: hands out rooms, and takes the answers as they come.
- `executors`: where the workers are: a `ProcessPoolExecutor`, or Dask.
- `results`, `parquet`: the file of results, and going on after an interruption.
- `totals`, `words`: what all rooms come to, as data and as text.
- `command`: how these work together.

Everything that travels between processes is small: an order names a room, and an answer has counts.
"""
