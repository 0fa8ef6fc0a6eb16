"""Every compiled loop: arrays in, arrays out. Where compiled code is kept, and until when, is `cached`'s to say."""

from engine.kernels.cached import use

use()
