"""Where the language tasks find `adapt_core.hf_models.attention`."""

from adapt_core.hf_models.attention import attention_options

__all__ = ["attention_options"]
