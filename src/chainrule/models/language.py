"""Named language models: each is a function from the number of tokens to an unbuilt Sequential.

They read whole numbers (N, T) and return logits (N, T, tokens): at each step, those of the next token.
"""

from collections.abc import Callable

from chainrule.initializers import Normal
from chainrule.layers import (
    LSTM,
    Embedding,
    LayerNorm,
    PointwiseAffine,
    Positions,
    Sequential,
    TransformerBlock,
    Unembedding,
)

__all__ = ["LANGUAGE_MODELS", "char_gpt", "char_lstm"]


def char_gpt(tokens: int, size: int = 128, blocks: int = 4, heads: int = 4) -> Sequential:
    """Blocks of causal attention with learned positions; input and output share one table (after Radford et al. 2019;
    the size is that of nanoGPT's CPU example).

    Args:
        tokens: the size of the vocabulary.
        size: features per step.
        blocks: the number of blocks.
        heads: attention heads per block.
    """
    table = Embedding(tokens, size, Normal(0.02))
    return Sequential(
        table,
        Positions(),
        *(TransformerBlock(size, heads, causal=True) for _ in range(blocks)),
        LayerNorm(),
        Unembedding(table),
    )


def char_lstm(tokens: int, size: int = 64, hidden: int = 128) -> Sequential:
    """One LSTM over embeddings (after Graves 2013, arXiv:1308.0850).

    Args:
        tokens: the size of the vocabulary.
        size: the size of an embedding.
        hidden: the hidden size of the LSTM.
    """
    return Sequential(Embedding(tokens, size), LSTM(hidden), PointwiseAffine(tokens))


LANGUAGE_MODELS: dict[str, Callable[..., Sequential]] = {"char-gpt": char_gpt, "char-lstm": char_lstm}
"""Every named language model."""
