"""Files into text: what a file is, and its pages, slides, sheets and sections as Markdown, each with its place.

No AWS in it, and nothing of the tenant's: a file goes in, text comes out. `reader` is what the rest calls; whatever
touches the bytes of a file runs in a process of its own, `child`, which holds no credentials and is ended by limits.
"""
