"""The page's tabs: what each shows of a report (case_tabs.py, *.html.jinja) and its own scripts."""
