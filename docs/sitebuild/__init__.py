"""The builder of the site: `python -m docs`.

`navigation` has the order of the pages, and `staging` puts them into one folder. `python_pages`,
`command_pages` and `schema_pages` write the reference. `links` checks the result, and `llms` lists it for
programs. `conf` is the configuration of Sphinx.
"""
