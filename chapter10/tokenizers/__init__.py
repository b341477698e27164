"""Tokenisers: text to ids and back, for BERT, GPT and T5 (claim B2: a token is a unit we choose).

`Tokenizer` wraps a pipeline of the `tokenizers` library, so a saved folder is what
`transformers.AutoTokenizer` loads, and folders saved by that library load here.

What normalisation loses. `decode(encode(text)) == normalize(text)` wherever no token is unknown:

- character and WordPiece: control characters go; each run of white space is one space at most, and
  spaces beside Chinese, before closing and after opening punctuation, and inside `3.14`, `don't`,
  `well-known` go (the tokens keep no record of them); with `lowercase=True` the case of letters;
- BPE of style "gpt" (bytes): nothing, or the case of letters with `lowercase=True`;
- other BPE and Unigram: Unicode is composed (NFC), each run of white space is one space, none at
  the ends, and the character ▁ (U+2581) reads as a space;
- vocabularies of published BERT models decode as the reference does: a space between characters.

A special token typed in the text, as in `今天[MASK]气很好`, becomes that token, as in the
reference; `literal=True` reads it as plain text instead.
"""

from chapter10.tokenizers.encoding import BatchEncoding, Encoding
from chapter10.tokenizers.tokenizer import Tokenizer

__all__ = ["BatchEncoding", "Encoding", "Tokenizer"]
