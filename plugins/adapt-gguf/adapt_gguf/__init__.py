"""Language models as GGUF files, in the order of an export:

plugin.py           the hooks
encodings.py        encodings of tensors, and which one each tensor gets
families.py         families of models: their metadata, and how their weights differ from transformers'
positions.py        rotary positions, plain and scaled
names.py            names of parameters in the file
vocabulary.py       a tokenizer as metadata
pre_tokenizers.py   llama.cpp's names of how texts are split
files.py            metadata copied byte for byte, tensors written one at a time
models.py           a model written anew, or in the form of the file that its base came from
adapters.py         a LoRA as a GGUF adapter
modelfile.py        Ollama's Modelfile
usage.py            the lines that use a model
companions.py       tokenizer and config of an exported model
base.py             the base of a run, looked at before anything is loaded
params.py           the parameters of the exporters
exporters.py        the exporters
reading/            programs that read an export again in its runtime
arrays.py           the type of numpy arrays
"""
