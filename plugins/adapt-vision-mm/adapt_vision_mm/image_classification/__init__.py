"""The task image_classification.

defaults.py   the model where a config names none
params.py     the parameters of the task
task.py       the task, which reads top to bottom
problems.py   the kinds of problems, with their metrics
first_look.py what can be said of the data before images are read
sources.py    class folders or a table -> rows of images
places.py     several of them as one table
data.py       validated rows of images and targets
splits.py     data sets of pixels, of each split and of ALSO_EVALUATE
epoch.py      the shares of several data sets in an epoch
dataset.py    a row -> pixels and its target, the same for any number of loading processes
collate.py    examples -> a batch
examples.py   images, classes and groups as checks of the data see them
frozen_features.py  what a base model makes of images, for checks of the data
frozen_rows.py  images whose frozen part is computed once for each view
transforms.py image -> pixels: what the backends' preprocessing has in common
processors.py the image processor that image_processor_path names
mixing.py     training images mixed in pairs
trainer.py    the Trainer: random crops by epoch, mixed images, pixels in the weights' dtype
metrics.py    accuracy, top-5 accuracy, macro-F1 of one class
predict.py    image files -> labels or numbers
preview.py    images for the report and for `adapt check`
backends/     the libraries that models come from
"""
