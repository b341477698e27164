"""The micro-world: small events with a truth behind them, written in Chinese and in English.

``World`` reads lexicon and grammar; everything else writes text from it, a pure function of a seed:
`corpus` for pretraining, `make_documents` for stories, days and rounds, and one function a task.
Importing this reads nothing.
"""

from chapter10.data.microworld.asking import questions
from chapter10.data.microworld.documents import Document, make_documents
from chapter10.data.microworld.examples import Asked, Inference, Review, SenseUse, Tagged
from chapter10.data.microworld.files import WorldFileError
from chapter10.data.microworld.inference import inferences
from chapter10.data.microworld.mixing import Mix, corpus
from chapter10.data.microworld.parallel import dictionary, parallel_pairs, parallel_sentences
from chapter10.data.microworld.registers import gloss, slot_pairs, slot_sentences
from chapter10.data.microworld.sampling import Style
from chapter10.data.microworld.senses import ambiguous, sense_uses
from chapter10.data.microworld.sentiment import reviews
from chapter10.data.microworld.tagging import ambiguous_words, tagged_sentences
from chapter10.data.microworld.tokens import Sentence, Token
from chapter10.data.microworld.world import World, shipped

__all__ = [
    "Asked",
    "Document",
    "Inference",
    "Mix",
    "Review",
    "SenseUse",
    "Sentence",
    "Style",
    "Tagged",
    "Token",
    "World",
    "WorldFileError",
    "ambiguous",
    "ambiguous_words",
    "corpus",
    "dictionary",
    "gloss",
    "inferences",
    "make_documents",
    "parallel_pairs",
    "parallel_sentences",
    "questions",
    "reviews",
    "sense_uses",
    "shipped",
    "slot_pairs",
    "slot_sentences",
    "tagged_sentences",
]
