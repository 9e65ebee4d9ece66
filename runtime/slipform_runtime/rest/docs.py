"""The page at `/docs`: what this server answers, and a form to try it. One file, nothing from elsewhere."""

from importlib.resources import files

PAGE = files("slipform_runtime.rest").joinpath("docs.html").read_bytes()
