"""Built-in methods.

params.py         the parameters of the methods
in_place.py       the base of methods that train a model's own weights
full.py           full: every parameter trains
last_layer.py     last_layer: the head trains, or the last few layers
requires_grad.py  freezing what must not train
"""
