"""The lesson's own module names: `common.layers` is chainrule.scratch.layers, and so on.

`chainrule run SCRIPT` answers them, so that the scripts of "Deep Learning from Scratch" (O'Reilly Japan, MIT licence)
and of courses that follow it run unchanged. The modules have no `__all__`: scripts rely on what their star imports
carry along, `np` included.
"""
