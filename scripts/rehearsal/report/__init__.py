"""report.html: what a rehearsal did, on one page that needs neither network nor scripts.

facts.py gathers what the story did, page.py and page.html.jinja write it; template_page.py and template.html.jinja
write the report of another project template. base.html.jinja and parts.html.jinja hold what both pages share.
"""
