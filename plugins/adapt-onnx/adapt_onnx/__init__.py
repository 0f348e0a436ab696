"""Models as ONNX files, in the order of an export:

plugin.py        the hooks
params.py        the keys
exporter.py      Onnx: the model, what belongs to it, how it is asked, how it is used
graphs.py        a torch module traced into a file, with any number of rows and positions
forward.py       models of one pass: classifiers, taggers, answers, images
decoder.py       language models with a cache
seq2seq.py       encoder and decoder with a cache
int8.py          dynamic quantization
companions.py    labels, tokenizer and image preprocessing beside the model
runtime.py       the program that asks an export, with onnxruntime and numpy alone
usage.py         the lines that use an export
writing.py       those that write texts with it
"""
