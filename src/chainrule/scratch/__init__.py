"""The module names of the course: `common.layers` is chainrule.scratch.layers, and so on.

`chainrule run SCRIPT` provides them, so that the scripts of "Deep Learning from Scratch" (O'Reilly Japan, MIT licence)
and of courses based on it run unchanged. The modules have no `__all__`, because scripts rely on everything that their
star imports bring in, including `np`.
"""
