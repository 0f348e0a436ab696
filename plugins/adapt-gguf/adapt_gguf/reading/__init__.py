"""Programs that read an export again in its runtime, without adapt:

by_transformers.py   a GGUF model, and one with a GGUF adapter added by its matrices
by_llama_cpp.py      both, by llama.cpp
"""
