"""What a plugin declares, and how plugins are found.

params.py     a parameter's declaration: type, default, bounds, help
specs.py      what a plugin registers; HOOK_API, hookimpl
hookspecs.py  the hooks that a plugin may implement
versions.py   versions of adapt, its plugins and the libraries underneath
registry.py   discovery: what is registered by whom, broken plugins kept apart
"""
