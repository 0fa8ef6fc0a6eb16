"""`python -m app.cli` is `tailrace`."""

import sys

from app.cli.command import main

sys.exit(main())
