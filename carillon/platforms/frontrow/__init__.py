"""FrontRow: a key for each creator, no account, no look-up, no scheduler, nothing can be recalled."""
