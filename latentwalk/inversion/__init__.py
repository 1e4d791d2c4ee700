"""Inversion: the latents whose generated images are nearest to real ones.

`GANInverter` starts every row from an encoder that learned on the generator's own samples and
optimises whole batches, with an error for every row.
"""

from latentwalk.inversion._inverter import GANInverter

__all__ = ["GANInverter"]
