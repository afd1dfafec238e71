"""`python -m minidns`."""

import sys

from minidns.cli import main

sys.exit(main())
