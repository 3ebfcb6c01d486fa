"""Hearing: each door turns what a person or a clock says into a question and gives the answer back."""
