"""The training loop on transformers' Trainer. Needs the extra `adapt-core[hf]`.

components.py       task-specific inputs of the loop
spec.py             optimizers and schedules of the loop, for checks
arguments.py        a plan as TrainingArguments
step_shapes.py      steps of a run that goes on in other processes
named.py            an optimizer and a schedule by dotted names
samplers.py         the order of training rows
budget.py           the steps and the schedule that fit into BUDGET
schedule.py         what a schedule does that one may not expect
loss_scale.py       gradient accumulation and a model's own loss
loss_items.py       losses as means over rows or tokens, whatever their batches
chunked_loss.py     the cross-entropy of a language model's head, chunk by chunk
word_blocks.py      the same of a linear layer on a CPU, a block of words at a time
deferred_logits.py  logits that are computed only where something needs them
encoder_outputs.py  what an encoder computes, shared by a generated text and its loss
head_dropout.py     dropout of an adapter on the output layer, drawn once for a batch
output_layer.py     the layer that returns them, in training and evaluation
smoothed_labels.py  LABEL_SMOOTHING of language models
lean_layers.py      layers that keep less for the backward pass
lean_functions.py   what they compute
compiled_blocks.py  blocks that torch compiles
frozen.py           the frozen part of the Trainer's model, computed once
losses.py           cross-entropy with class weights
trainer.py          the Trainer of a job
loop.py             the loop
averaged_weights.py an exponential moving average of the weights
soup.py             KEEP: soup on a Trainer
backward_steps.py   optimizer steps inside the backward pass
background.py       checkpoints written in the background, from copies
checkpoints.py      a Trainer that writes checkpoints so
callbacks.py        training check, metrics, checkpoints, stop requests
finite_losses.py    losses that are not finite
kept_batches.py     batches of evaluated splits, made once
eval_padding.py     padded batches of several processes
eval_order.py       predictions in the order of the rows
parts.py            evaluations of several data sets, and of all of them
per_class.py        results by class
"""
