"""The specification's definitions, transcribed literally and without optimisation.

Each function follows the words of a definition, in their order, so that the two can be read side by side.
Tests compare the library with these functions. Nothing is shared with the library, because an error would be
shared too. There is one exception: `resolution` uses the library's events and authorisation rules, which are
compared on their own.
"""
