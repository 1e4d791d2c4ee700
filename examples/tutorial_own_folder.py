"""
=======================================
From a folder of your own to a release
=======================================

Images in a folder, a table or subfolders that name their patients, two cores and half an hour. This
page shows the commands and what they printed, with long lines broken. It is not run with the
documentation: the images are not ours to hand on. They are chest X-rays of the first 300 patients
of a sample of the NIH's ChestX-ray8 (Wang et al., CVPR 2017), as PNG files of 64x64 pixels, in
``scans/LABEL/PATIENT/``. The times are those of two cores that had other work too.
"""

# %%
# Look at what is there
# ---------------------
# Nothing that is printed names a patient. DICOM files and a table of patients are the next step.

from latentwalk.datasets import load_image_folder

data = load_image_folder("scans", size=64, levels=("label", "subject"))
print(data)

# %%
# .. code-block:: text
#
#     ImageFolder(ImageFiles(451 images of 1x64x64)
#                 target: 2 classes
#                 groups: 300 subjects
#                 skipped: 0 rows)

# %%
# DICOM files and a table
# -----------------------
# DICOM files are read as PNG files are (``pip install '.[dicom]'``). If a table names classes and
# patients, pass it in place of ``levels``. This archive holds the whole sample, 1,000 images of
# 128x128 pixels with 12 bits in folders of a hundred, a fifth of them stored as negatives. Files
# may be named with their folder, and without a suffix. Reading them all took 23 seconds.
#
# .. code-block:: python
#
#     data = load_image_folder(
#         "archive",
#         size=64,
#         table="patients.csv",
#         columns={"file": "image", "label": "finding", "subject": "patient"},
#     )
#
# .. code-block:: text
#
#     ImageFolder(ImageFiles(1000 images of 1x64x64)
#                 target: 2 classes
#                 groups: 682 subjects
#                 skipped: 0 rows)
#
# The commands below take ``--table patients.csv --file-column image --label-column finding
# --subject-column patient`` in place of ``--levels label --levels subject``.

# %%
# Are they enough?
# ----------------
# .. code-block:: text
#
#     $ latentwalk plan --patients 300 --smallest-class 110
#     To rule out, with a chance of 80%, that more than 5.0% of the members are exposed:
#     members       1151 patients, from whom the release is made
#     held-out      691 patients, who judge it
#     together      2304 patients, as split_patients divides them (half are members, 30% judge, ...)
#     you have      300 patients: too few for NO EVIDENCE; expect UNDERPOWERED
#     k             5, 10, 20 (half of a class are members, and it needs 2k of them)
#
# They are not: whatever comes out, an audit of 90 held-out patients cannot rule out a leak of 5 %.
# It can still find one. We go on, and know what to expect.

# %%
# Train a generator
# -----------------
# On the members alone, which are half of the patients. The same command goes on from where it
# stopped; six minutes are a first look, and half an hour is better.
#
# .. code-block:: text
#
#     $ latentwalk train scans --size 64 --levels label --levels subject --out net --minutes 6
#     trained on 223 of 451 images
#     net/network.safetensors
#
# Look at what it draws before anything else, and look for copies:
#
# .. code-block:: text
#
#     $ latentwalk inspect net/network.safetensors --sheet sheet.png

# %%
# Make the release
# ----------------
# ``net/run.toml`` says who the members were, so that the same patients are held out again. With
# ``--cache`` the same command goes on from where it stopped. These lines are of a run that was
# stopped after 13 minutes, in its last step, and of the same command given again, which took two
# more. It took the smallest k in which 30 calibration patients showed nothing, and its audit then
# found a signal. So few patients cannot choose, and the command now takes k = 20: on DICOM files of
# 300 patients, after four minutes of training and with ``--set invert__loss=pixels``, it took 12
# minutes (4 of a processor's) and ended in UNDERPOWERED (p = .73), so that nothing was released.
# Both audits had whitened views of 16 and 32 components, where they have 32 and 128 now.
#
# .. code-block:: text
#
#     $ latentwalk release scans --size 64 --levels label --levels subject \\
#           --network net/network.safetensors --out study --cache cache \\
#           --name "Chest X-rays, first 300 patients" --contact someone@example.org
#     223 synthetic images, groups of k = 5
#     verdict      SIGNAL: The release tells members from held-out subjects (p = 0.046), found by
#                  calibrated nearest in pixels, whitened 16, mean of images. At least 2 of 150 are
#                  exposed.
#     privacy      at least 2 of 150 patients exposed; share found at 1% false alarms: 0.107 (0.000
#                  to 0.269)
#     fidelity     kernel distance 0.000256, real images of others 2.43e-06 (lower is better)
#     fidelity     coverage 0.0135, real images of others 0.803 (higher is better)
#     utility      balanced accuracy 0.659, trained on real images 0.750, by chance 0.500
#     audit        study/audit
#     not written  the verdict of report is SIGNAL: attackers tell the real patients from others.
#                  [...] Raise k or hold out more patients, or pass allow='the reason', which is
#                  recorded in the release

# %%
# Decide
# ------
# Nothing was released: only NO EVIDENCE is, unless ``--allow`` gives a reason. And the figures say
# why one should not look for a reason here. Two patients are shown to be exposed, more than a
# quarter of them are not ruled out, and hardly any of the variety of real images is there (coverage
# 0.01): six minutes of training are too few, and so are 300 patients.
#
# ``study/audit/report.html`` is the page for those who decide. It shows real images and stays in
# the house. What to try next, in this order: a longer training, ``--k 20``, more patients.
