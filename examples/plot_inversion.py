"""
=============================================
Inversion: what the generator makes of images
=============================================

The first stage of the pipeline finds, for every real image, the latent whose generated image is
nearest. What the generator cannot make is lost here, so every row has an error, and the rows that
did not survive are counted. The images are real dermoscopy patches, the generator is the small one
that ships with the package, trained on the member half.
"""

# %%
# Members trained the generator, held-out images did not.

import latentwalk as lw
import matplotlib.pyplot as plt
import numpy as np
import torch
from latentwalk.datasets import dermoscopy_generator_path, fetch_dermoscopy, split_patients
from latentwalk.inspection import InversionDisplay

torch.set_num_threads(1)
data = fetch_dermoscopy()
split = split_patients(data.images, groups=data.groups, random_state=0)
rng = np.random.default_rng(0)
members = data.images[rng.choice(split.members, 48, replace=False)]
held_out = data.images[rng.choice(split.audit, 48, replace=False)]
generator = lw.load_generator(dermoscopy_generator_path())

# %%
# Fitting trains an encoder on the generator's own samples, whose latents are known; it has not seen
# a real image. Each row starts from the encoder and is optimised until it no longer gains.

inverter = lw.GANInverter(generator, random_state=0)
W = inverter.fit_transform(members)
error = inverter.reconstruction_error_
print(f"error: median {np.median(error):.3f}, worst {error.max():.3f} (root mean square, 0 to 1)")
print(f"{(error > 0.06).sum()} of {len(error)} rows over 0.06; max_error=0.06 warns of them")
print(f"{inverter.n_iter_.mean():.0f} steps a row, at most {inverter.n_iter_.max()}")

# %%
# From the best reconstruction to the worst. The difference is what no later stage can bring back.

InversionDisplay.from_estimator(inverter, members, W)

# %%
# The encoder alone is a preview: set ``max_iter=0``.

inverter.set_params(max_iter=0)
preview = inverter.reconstruction_error(members, inverter.transform(members))
print(f"encoder alone: median {np.median(preview):.3f}")

# %%
# Held-out images through the same encoder and the same optimisation. If members come back better
# than held-out images, the generator remembers them: the gap is itself a sign of membership, which
# an attacker who holds the generator can read.

inverter.set_params(max_iter=100)
error_out = inverter.reconstruction_error(held_out, inverter.transform(held_out))
_, ax = plt.subplots(figsize=(6, 3.5))
bins = np.linspace(0, max(error.max(), error_out.max()), 25)
ax.hist(error, bins, alpha=0.6, label=f"members, median {np.median(error):.3f}")
ax.hist(error_out, bins, alpha=0.6, label=f"held out, median {np.median(error_out):.3f}")
ax.set(xlabel="reconstruction error (root mean square)", ylabel="images")
ax.legend()
plt.show()
