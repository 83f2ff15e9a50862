"""Questions and their answers: every sentence with citations that were read again before the reply."""
