"""The specification's definitions, transcribed literally: slow, plain, and importing nothing of roomver.

Each function follows the words it stands for, in their order, so that it can be checked by reading the
two side by side. The tests hold the library to these. Nothing here is tuned, and nothing here is shared
with the library, or an error would be shared as well.
"""
