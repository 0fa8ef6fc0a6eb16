"""python -m examples.shop: the demo. A module of its own, because processes that compile kernels import what they were
started from again, unless it is this one of its package."""

from examples.shop.demo import main

main()
