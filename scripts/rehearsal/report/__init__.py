"""build/rehearsal/report.html: what a rehearsal did, on one page that needs neither network nor scripts.

facts.py gathers, page.py writes; page.html.jinja is the page.
"""
