"""Evaluation: experiments on encoders, and their report. Needs the extra ``eval``."""
