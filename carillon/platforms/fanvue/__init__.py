"""Fanvue: OAuth bearer tokens; with `account` an agency speaks for one of its creators."""
