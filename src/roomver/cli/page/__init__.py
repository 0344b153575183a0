"""The page of ``roomver report``: one file that opens offline, and the overview as a picture.

`document` makes the page of the data of `roomver.explain.page` and of the files in ``parts``. `picture` draws
the overview. Nothing is decided here. ``licenses`` has the licence of the library among the parts.
"""
