"""`python -m minidns`."""

import sys

from minidns.cli.arguments import main

sys.exit(main())
