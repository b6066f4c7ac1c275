"""Two models on the same items: what is planned, compared, corrected and called a difference."""
