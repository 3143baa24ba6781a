"""Names of models in sentences.

>>> the("CNN"), the("plain CNN"), sentence("local attention is ahead")
('the CNN', 'the plain CNN', 'Local attention is ahead.')
"""

WITH_ARTICLE = ("CNN", "ViT")


def the(label: str) -> str:
    """Return a model's label for use in a sentence: kinds of models take an article, names do not."""
    return f"the {label}" if label.rpartition(" ")[2] in WITH_ARTICLE else label


def sentence(text: str) -> str:
    """Return text that starts with a capital letter and ends with a full stop."""
    return f"{text[0].upper()}{text[1:]}."
