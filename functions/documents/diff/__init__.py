"""What changed between two versions of a document, in passages and in words."""
