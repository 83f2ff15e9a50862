"""`python -m bench`: every benchmark, into docs/benchmarks.md."""

import sys

from bench.run import main

sys.exit(main())
