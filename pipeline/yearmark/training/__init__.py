"""Training: corpora, generated text, encoders and the training loop. Needs the extra ``train``."""
