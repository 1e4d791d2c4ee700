"""How the documentation is built: `make docs`."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

import latentwalk

HERE = Path(__file__).parent

# the gallery runs the demo on fewer images; its page says on how many
os.environ.setdefault("LATENTWALK_DEMO", "small")
os.environ.setdefault("LATENTWALK_DEMO_DIR", str(HERE / "_build" / "demo"))

project = "latentwalk"
author = "the latentwalk developers"
version = release = latentwalk.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "templates"]
templates_path = ["templates"]
default_role = "py:obj"

# names of other projects become links; without a network they stay names, and the build succeeds
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
}
intersphinx_timeout = 5
logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(
    lambda record: "failed to reach any of the inventories" not in str(record.msg)
)
intersphinx_disabled_reftypes = ["*:doc"]
nitpicky = False
# the gallery's settings hold a compiled pattern, which Sphinx cannot keep between builds
suppress_warnings = ["config.cache"]

autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"latentwalk {version}"
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["wide.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {page: [] for page in ("index", "install", "quickstart", "faq", "glossary")}
copybutton_prompt_text = ">>> "

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[/\\]plot_",
    "ignore_pattern": r"train_|__init__",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    # the examples that use a class or a function are shown on its page
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("latentwalk",),
}

REQUEST_METHOD = re.compile(r"set_\w+_request$")


def skip_scikit_learn(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool:
    """Leave out what scikit-learn adds to every estimator: it is documented there."""
    inherited = (getattr(obj, "__module__", None) or "").startswith("sklearn")
    return skip or inherited or bool(REQUEST_METHOD.match(name))


def find_short_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Link names as users write them (``latentwalk.GANDecoder``) to their page in a folder."""
    name, _, member = node["reftarget"].removeprefix("latentwalk.").partition(".")
    if node.get("refdomain") != "py" or name not in latentwalk._HOMES:
        return None
    full = ".".join(filter(None, ["latentwalk", latentwalk._HOMES[name], name, member]))
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, content)


def setup(app: Any) -> None:
    """Connect what is above to Sphinx."""
    app.connect("autodoc-skip-member", skip_scikit_learn)
    app.connect("missing-reference", find_short_name)
