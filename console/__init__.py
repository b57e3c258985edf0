"""What a person sees and may say: the carillon command and the sandbox.

May import everything below it. Begin reading at `cli.py`.
"""
